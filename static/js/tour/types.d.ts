// The shapes of hot spots, sweep and coverage (docs/api.md), for the type checker alone.

export type Opinion = 'agree' | 'disagree';

export interface Review {
  seen: boolean;
  opinion: Opinion | null;
}

export interface HotSpot {
  rank: number;
  peak_probability: number;
  mean_probability: number;
  area_mm2: number;
  longest_um: number;
  size_class: 'macro' | 'micro' | 'itc';
  x_l0_px: number;
  y_l0_px: number;
  /** Left, top, right, bottom. */
  bbox_l0_px: [number, number, number, number];
  review: Review;
  opinions: { reader: string; opinion: Opinion; changed_at: string }[];
}

export interface HotspotPage {
  analysis_id: string;
  items: HotSpot[];
  next: string | null;
  ranking: string;
  count: number;
  kept: number;
  seen: number;
  agreed: number;
  disagreed: number;
  all_seen: boolean;
}

export interface Sweep {
  magnification: number;
  field_width_l0_px: number;
  field_height_l0_px: number;
  centres_l0_px: [number, number][];
  position: number;
  seen: number[];
}

export interface Coverage {
  recording: boolean;
  least_magnification: number;
  step_l0_px: number | null;
  columns: number;
  rows: number;
  viewed: string;
  tissue_cells: number | null;
  tissue_share_viewed: number | null;
}

export interface Agreement {
  cells_compared: number;
  cells_both: number;
  cells_only_this: number;
  cells_only_other: number;
  cells_neither: number;
  cells_not_compared: number;
  mean_absolute_difference: number | null;
  max_absolute_difference: number | null;
  max_x_l0_px: number | null;
  max_y_l0_px: number | null;
}

/** What the parts of the tour need from the page. */
export interface Surroundings {
  slide: import('../types.d.ts').Slide;
  map: L.Map;
  scale: import('../scale.js').Scale;
  announce: (text: string) => void;
}
