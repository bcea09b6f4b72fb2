// The shapes of flags (docs/flags.md), for the type checker alone.

export type FlagKind = 'point' | 'box' | 'polygon' | 'freehand' | 'ruler';
export type FlagState = 'open' | 'agreed' | 'disagreed' | 'resolved';
export type Position = [number, number];
/** Left, top, right, bottom. */
export type Bounds = [number, number, number, number];
/** Polygons of rings of positions; rings are not closed here. */
export type Parts = Position[][][];
/** Polygon, ring, vertex. */
export type VertexPath = [number, number, number];

export interface Geometry {
  type: 'Point' | 'LineString' | 'Polygon' | 'MultiPolygon';
  coordinates: any;
}

/** What people decide about a flag. */
export interface FlagFields {
  kind: FlagKind;
  geometry: Geometry;
  label: string | null;
  name: string | null;
  reason: string;
  state: FlagState;
  assignee: string | null;
}

export interface Flag extends FlagFields {
  id: string;
  number: number | null;
  version: number;
  bbox_l0_px: Bounds;
  deleted: boolean;
  created_by: string | null;
  created_at: string | null;
  changed_by: string | null;
  changed_at: string | null;
  length_um: number | null;
  area_mm2: number | null;
  comments: number;
  hotspot: { analysis_id: string; rank: number } | null;
}

export interface Cluster {
  count: number;
  bbox_l0_px: Bounds;
  x_l0_px: number;
  y_l0_px: number;
  labels: Record<string, number>;
}

export interface FlagList {
  items: Flag[];
  clusters: Cluster[];
  total: number;
  next: string | null;
  states: Record<FlagState, number>;
  touched_at: string | null;
}

export interface Comment {
  id: number;
  text: string;
  created_by: string;
  created_at: string;
}

export interface FlagVersion extends FlagFields {
  version: number;
  action: 'created' | 'changed' | 'deleted' | 'restored';
  changed_by: string;
  changed_at: string;
  deleted: boolean;
}

export interface Label {
  name: string;
  colour: string;
  key: string | null;
  mark: string;
  filled: boolean;
  reason_required: boolean;
}

/** A change on its way to the server. */
export interface Operation {
  type: 'create' | 'change' | 'delete' | 'restore';
  id: string;
  fields?: Partial<FlagFields>;
  hotspot?: { analysis_id: string; rank: number } | null;
  problem?: { reason: string; hint: string };
  /** Sent, but the connection broke before the answer: the server may have taken it. */
  unanswered?: boolean;
}

/** Something that can be undone. */
export interface Step {
  type: 'create' | 'change' | 'delete';
  id: string;
  before?: Partial<FlagFields>;
  after?: Partial<FlagFields>;
}

export interface Sketch {
  kind: FlagKind;
  parts: Parts;
  /** Whether the last ring is still being drawn. */
  open: boolean;
  label: string | null;
  state: FlagState;
}
