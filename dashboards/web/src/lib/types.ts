// SPDX-License-Identifier: Apache-2.0
// The documents of /api/v1 (docs/api.md). Members the page does not read are left out; a server of
// a later version may add members. Times are milliseconds since 1970, shares 0..1.

export type Cell = string | number | boolean | null;

export interface Spark {
  from_ms: number;
  bucket_ms: number;
  done: number[];
  failed: number[];
}

export interface OutcomeCount {
  outcome: string;
  n: number;
}

export type ExperimentState = "running" | "waiting" | "paused" | "finished" | "failed" | "cancelled";

export interface JobCounts {
  jobs: number;
  done: number;
  running: number;
  ready: number;
  waiting: number;
  failed: number;
  skipped: number;
  cancelled: number;
  diverged: number;
}

export interface Experiment extends JobCounts {
  id: number;
  name: string;
  revision: number;
  state: ExperimentState;
  paused?: boolean;
  priority: number;
  runs: number;
  submitted_ms: number;
  last_ms: number | null;
  eta_s: number | null;
  eta_low_s?: number | null;
  eta_high_s?: number | null;
  per_s: number | null;
  /** false while its jobs are being counted */
  counted?: boolean;
  counted_share?: number;
  spark: Spark | null;
  failures: OutcomeCount[];
  has?: Has;
}

export interface WorkerJob {
  job: number;
  step: string;
  kind: string;
  experiment: string | number | null;
  experiment_id?: number | null;
  seconds: number;
  done: number | null;
  total: number | null;
  what: string | null;
}

export interface Worker {
  id: number;
  name: string;
  host: string;
  pid: number;
  version: string;
  here: boolean;
  /** working, paused, draining, quiet, lost, gone, unknown */
  state?: string;
  gone?: string | number | boolean | null;
  first_ms: number | null;
  last_seen_ms: number | null;
  slots: number | null;
  running: number | null;
  waiting?: number | null;
  draining?: boolean | null;
  jobs: WorkerJob[];
  done: number;
  failed: number;
  busy: number | null;
  /** seconds of attempts */
  busy_s?: number | null;
  cores?: number | null;
  cores_used?: number | null;
  memory_mib?: number | null;
  memory_used_mib?: number | null;
}

export interface StoreEvent {
  id: number;
  at_ms: number;
  kind: string;
  text: string | null;
  job: number | null;
  attempt: number | null;
}

export interface Coordinator {
  pid: number;
  endpoint: string;
  incarnation?: string | number | null;
  /** why it does not answer */
  why?: string | null;
}

export interface Overview {
  version: number;
  change: number;
  store: { path: string; schema: number; bytes: number; wal_bytes: number };
  coordinator: Coordinator | null;
  experiments: Experiment[];
  workers: Worker[];
  events: StoreEvent[];
  totals: Record<string, number | null>;
  /** how many there are; the list may be shorter */
  experiments_all?: number;
  /** the server is still reading the store */
  ready?: boolean;
  loaded?: number;
}

export interface Has {
  labels: boolean;
  curriculum: boolean;
  tables: boolean;
  metrics: boolean;
  scores: boolean;
}

export interface StepCounts extends JobCounts {
  step: string;
  kind: string;
  needs: string[];
  seconds: number | null;
  eta_s: number | null;
}

/** A column of the runs of an experiment: a parameter, a measure or the state. */
export interface RunColumn {
  name: string;
  kind: "param" | "measure" | "state";
  type: "number" | "text";
  distinct?: number | null;
  min?: number | null;
  max?: number | null;
  values?: { value: Cell; n: number }[];
}

export interface MetricName {
  step: string;
  metric: string;
  series: number;
  points: number;
}

export interface ExperimentDocument {
  version: number;
  experiment: Experiment & { recipe?: string | null; path?: string | null; git?: string | null };
  recipe?: string | null;
  git?: string | null;
  revisions: { revision?: number; number?: number; submitted_ms: number; runs?: number; [member: string]: unknown }[];
  steps: StepCounts[];
  columns: RunColumn[];
  metrics: MetricName[];
  has: Has;
}

export interface RecipeDocument {
  text: string;
}

export interface RunsPage {
  columns: { name: string; kind: "param" | "measure" | "state"; type: "number" | "text" }[];
  rows: { run: number; values: Cell[] }[];
  total: number;
  matched: number;
  next: string | null;
  ready?: boolean;
  loaded?: number;
}

/** [step, mean, low, high, n] */
export type CurvePoint = [number, number | null, number | null, number | null, number];

export interface CurveGroup {
  name: string;
  value: Cell;
  runs: number;
  series: number;
  seeds: number;
  points: CurvePoint[];
}

export interface StageMark {
  step: string;
  label: string;
  from: number;
  to: number;
  budget: number | null;
}

export interface Curves {
  metric: string;
  step: string | null;
  by: string | null;
  x: string;
  groups: CurveGroup[];
  band: string;
  stages: StageMark[];
  points_total: number;
  ready?: boolean;
  loaded?: number;
}

export interface Pareto {
  x: string;
  y: string;
  points: { run: number; x: number; y: number; group: number | string | null }[];
  of: number;
  front: [number, number, number][];
  groups: (string | { name: string; value?: Cell; runs?: number })[];
}

export interface CompareRow {
  value: Cell;
  runs: number;
  seeds: number;
  n: number;
  mean: number | null;
  lo: number | null;
  hi: number | null;
  difference: number | null;
  diff_lo: number | null;
  diff_hi: number | null;
  p: number | null;
  adjusted: number | null;
  best: boolean;
}

export interface Compare {
  measure: string;
  by: string;
  better: "higher" | "lower";
  baseline: Cell;
  rows: CompareRow[];
  notes: string[];
  winner: { value: Cell; text: string } | null;
}

export interface CurriculumStage {
  stage: number;
  step: string;
  from: number;
  to: number;
  budget: number | null;
  difficulty: number | string | null;
  accuracy: number | null;
  accuracy_lo?: number | null;
  accuracy_hi?: number | null;
  tokens: number | null;
  tokens_lo?: number | null;
  tokens_hi?: number | null;
  reward: number | null;
  reward_lo?: number | null;
  reward_hi?: number | null;
  seeds: number;
}

export interface Curriculum {
  /** parameters, divided by commas; null: one group */
  by?: string | null;
  groups: { name: string; value: Cell; runs: number; stages: CurriculumStage[] }[];
  planned: unknown[];
}

export interface Graph {
  nodes: (JobCounts & { step: string; kind: string })[];
  edges: [string, string][];
}

export interface JobRow {
  id: number;
  key: string;
  step: string;
  kind: string;
  state: string;
  running: boolean;
  priority: number;
  tries: number;
  losses: number;
  attempt: number | null;
  seconds: number | null;
  runs: number[];
  what: string | null;
  text: string | null;
}

export interface JobsPage {
  jobs: JobRow[];
  next: string | number | null;
  matched?: number | null;
}

export interface Attempt {
  attempt: number;
  worker: string | null;
  host?: string | null;
  outcome: string | null;
  started_ms: number | null;
  ended_ms: number | null;
  seconds?: number | null;
  cpu_seconds?: number | null;
  text: string | null;
  environment?: string | null;
  slots?: number | null;
  threads?: number | null;
  log_bytes?: number | null;
}

/** What `drover show JOB --json` says, and why it waits. */
export interface JobDocument {
  job: {
    job: number;
    key: string;
    kind: string;
    step: string | null;
    state: string;
    diverged?: number | boolean;
    priority: number;
    seed?: number | null;
    retries?: number;
    tries: number;
    losses: number;
    params: string | null;
    submitted_ms?: number | null;
    experiment?: string | null;
    experiment_id?: number | null;
    [member: string]: unknown;
  };
  inputs: unknown;
  outputs: unknown;
  /** read with needsOf() */
  needs: { id?: number; job?: number; step: string; state: string; kind?: string }[];
  attempts: Attempt[];
  runs: {
    run: number;
    step: string;
    experiment?: string | null;
    experiment_id?: number | null;
    seed?: number | null;
  }[];
  log: null | string | { attempt?: number; bytes?: number; text: string };
  running?: {
    worker?: string | null;
    seconds?: number | null;
    done?: number | null;
    total?: number | null;
    what?: string | null;
    [member: string]: unknown;
  } | null;
  /** read with whyOf() */
  why: { rule: string; text: string }[] | { rules?: { rule: string; text: string }[] } | null;
}

export interface FailureGroup {
  step: string;
  kind: string;
  outcome: string;
  text: string | null;
  jobs: number;
  runs: number;
  first_ms: number | null;
  last_ms: number | null;
  /** what the texts have in common, when they differ */
  alike?: string | null;
  remedy?: string | null;
  run_ids?: number[];
  more_runs?: boolean;
  estimated?: boolean;
  sample: { job: number; run: number | null; attempt: number | null; log_tail: string | null };
}

export interface Failures {
  groups: FailureGroup[];
  lost_attempts: OutcomeCount[];
}

export interface TimelineAttempt {
  attempt: number | null;
  job: number;
  step: string;
  kind: string;
  experiment: string | number | null;
  experiment_id?: number | null;
  start_ms: number;
  end_ms: number | null;
  outcome: string | null;
  text: string | null;
}

export interface Timeline {
  from_ms: number;
  to_ms: number;
  workers: {
    id: number;
    name: string;
    host: string;
    slots: number | null;
    lanes: TimelineAttempt[][];
    gone?: string | null;
    attempts?: number;
    busy: number | null;
    /** attempts at once, on average, in equal parts of the window; instead of lanes */
    bins?: number[] | null;
  }[];
  attempts?: number;
  forgotten?: number;
  ready?: boolean;
  loaded?: number;
}

/** [skipped, executed, repeated]: how many labels do so at one layer. */
export type LayerCounts = [number, number, number];

export interface LabelSet {
  step: string;
  task: string;
  level: number | string | null;
  split: string;
  n: number;
  labelled: number;
  preserved: number;
  improved: number;
  unsolved: number;
  layers: number;
  per_layer: LayerCounts[];
  lengths: [number, number][];
  mean_layers: number | null;
}

export interface Labels {
  sets: LabelSet[];
  all: LabelSet;
  steps: string[];
  skipped_most: { layer: number; share: number }[];
}

export interface ExampleRow {
  label: number;
  example: string | number;
  idx: number;
  task: string;
  level: number | string | null;
  split: string;
  source_id: string | null;
  question: string | null;
  base_correct: boolean | number | null;
  has_label: boolean;
  routing: string | null;
  label_layers: number | null;
  layers: number;
  simulations: number | null;
}

export interface ExamplesPage {
  examples: ExampleRow[];
  matched: number | null;
  next: string | null;
}

export interface TreeNode {
  place: number;
  parent: number | null;
  routing: string;
  reward: number | null;
  visits: number;
  value: number | null;
  answer: string | null;
  edit: string;
}

export interface LabelDocument {
  label: ExampleRow & {
    question: string | null;
    gold: string | null;
    base_answer: string | null;
    label_answer: string | null;
    prompt?: string | null;
    experiment?: number | string | null;
    [member: string]: unknown;
  };
  tree: {
    nodes: TreeNode[];
    layers: number;
    simulations: number;
    evaluations: number;
    best: number | null;
  } | null;
  neighbours: { previous: number | null; next: number | null };
}

/** What `drover table --format json` says; VIEWS reads its members. */
export interface TablesDocument {
  tables: Record<string, unknown>[];
  errors: { name: string; text: string }[];
}

export interface SchemaDocument {
  views: SchemaTable[];
  tables: SchemaTable[];
}

export interface SchemaTable {
  name: string;
  about?: string | null;
  worth_knowing?: string | null;
  columns: { name: string; type?: string | null; about?: string | null }[];
}

export interface QueryAnswer {
  columns: string[];
  kinds?: string[];
  rows: Cell[][];
  truncated: boolean;
  /** why it was cut */
  why?: string | null;
  ms: number;
}

export interface VersionDocument {
  version: number;
  drover: string;
  schema: number;
  page?: string;
}

export interface ChangeEvent {
  change: number;
  [member: string]: unknown;
}
