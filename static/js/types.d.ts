// The shapes of the JSON interface (docs/api.md), for the type checker alone.

export interface Problem {
  reason: string;
  hint: string;
}

export type AnalysisState = 'queued' | 'running' | 'cancelling' | 'cancelled' | 'failed' | 'done';

export interface ModelInfo {
  id: string;
  version: string;
  name: string;
  threshold: number | null;
  calibrated: boolean | null;
  spacing_um_px?: number;
}

export interface Summary {
  peak_probability: number | null;
  cells_analysed: number;
  cells_positive: number;
  analysed_area_mm2: number | null;
  positive_area_mm2: number | null;
}

export interface Analysis {
  id: string;
  slide_id: string;
  state: AnalysisState;
  progress: number;
  chunks_done: number;
  chunks_total: number | null;
  seconds_left_s: number | null;
  error: Problem | null;
  revision: string;
  model: ModelInfo;
  summary: Summary | null;
  /** Null while not known, and while closed to the reader. */
  score: number | null;
  score_rule: string | null;
  hotspots: number | null;
  warnings: Caution[];
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  queue_position: number | null;
}

export interface Caution {
  code: string;
  text: string;
  hint: string | null;
}

export interface Slide {
  id: string;
  name: string;
  width_px: number | null;
  height_px: number | null;
  mpp_x: number | null;
  mpp_y: number | null;
  mpp_source: 'slide' | 'user' | null;
  mpp_set_by: string | null;
  mpp_set_at: string | null;
  objective_power: number | null;
  tile_size_px: number | null;
  vendor: string | null;
  reader: string | null;
  state: 'unreadable' | 'unanalysed' | AnalysisState;
  problem: Problem | null;
  /** What is not quite right with it, the gravest first. */
  warnings: Caution[];
  analysis: Analysis | null;
  /** Of the newest finished analysis; null without one, and while closed to the reader. */
  score: number | null;
  hotspots: number | null;
  score_analysis_id: string | null;
  /** The blind first read keeps what the model says until a verdict. */
  locked: boolean;
  reading: Reading;
  assignee: string | null;
  flags: number;
  dzi_url: string;
  thumbnail_url: string;
  page_url: string;
  first_seen_at: string;
}

export type ReadingState = 'unread' | 'in_review' | 'reviewed' | 'second_opinion';

export interface Verdict {
  id: string;
  value: string;
  reader: string;
  given_at: string;
  phase: 'blind' | 'open';
  overlay_on: boolean;
  comment: string | null;
}

export interface Reading {
  slide_id: string;
  state: ReadingState;
  reader: string | null;
  assignee: string | null;
  verdict: Verdict | null;
  verdicts: number;
  locked: boolean;
  version: number;
}

export interface FolderInfo {
  name: string;
  problem: Problem | null;
}

export interface SlidePage {
  items: Slide[];
  /** How many slides the whole list has. */
  total: number;
  next: string | null;
  folders: FolderInfo[];
  scanning: boolean;
}

export interface HeatmapGeometry {
  columns: number;
  rows: number;
  origin_l0_x_px: number;
  origin_l0_y_px: number;
  step_l0_x_px: number;
  step_l0_y_px: number;
}

export interface HeatmapInfo {
  analysis_id: string;
  geometry: HeatmapGeometry;
  model: ModelInfo;
  threshold: number;
  tile_size_cells: number;
  levels: number;
  tile_url: string;
  revision: string;
  state: AnalysisState;
}

export interface HeatmapChanges {
  revision: string;
  tiles: [number, number, number][];
}

/** Values of cells, level by level, as overlay and probe read them. */
export interface CellStore {
  info: HeatmapInfo;
  readonly tileCells: number;
  /** Called with the level of a tile that came or changed. */
  onChange: (level: number) => void;
  find(level: number, column: number, row: number): import('./heatmap-store.js').Found | undefined;
  load(level: number, column: number, row: number): Promise<void>;
  /** 1…255, 0 'not analysed', undefined 'not loaded yet'. */
  valueAt(level: number, column: number, row: number): number | undefined;
  /** The stored values it comes from. */
  valuesAt(level: number, column: number, row: number): (number | undefined)[];
}

/** How the heat map is shown; all of it changes without a request. */
export interface OverlaySettings {
  shown: boolean;
  opacity: number;
  lower: number;
  upper: number;
  colormap: string;
  smooth: boolean;
  hatch: boolean;
}

export interface DeepZoomInfo {
  tilesUrl: string;
  tileSizePx: number;
  format: string;
  widthPx: number;
  heightPx: number;
  /** The Deep Zoom level of the full resolution. */
  maxLevel: number;
}
