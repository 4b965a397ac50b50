import { iouXyxy } from '../geometry/box-overlap.ts';
import type { BoxXyxy } from '../geometry/boxes.ts';
import { withoutDuplicates } from '../geometry/duplicate-boxes.ts';
import { linearSumAssignment } from '../matching/hungarian.ts';

/** A detection of one frame, as the tracker compares it. */
export interface TrackableDetection {
  /** x0, y0, x1, y1 in pixels. */
  readonly box: BoxXyxy;
  /** Score in 0 to 1. */
  readonly score: number;
  /** Phrase that the box stands for: only equal phrases are the same object. */
  readonly phrase: string;
  /** Appearance: the embedding of the query. Compared by its angle. */
  readonly embedding?: ArrayLike<number> | undefined;
}

/** Options of `Tracker`. */
export interface TrackerOptions {
  /** Seconds after which an object that is not seen is forgotten; one that returns later is a new one. Default 3. */
  readonly maxAgeS?: number | undefined;
  /** IoU above which a detection is a duplicate of a better one with the same phrase. Default 0.7. */
  readonly duplicateIou?: number | undefined;
}

interface Track {
  readonly id: number;
  readonly phrase: string;
  box: BoxXyxy;
  /** Velocity of the center in pixels per second, without the motion of the camera. */
  velocity: readonly [x: number, y: number];
  embedding: Float64Array | undefined;
  seenS: number;
  /** Displacement by the camera since the object was seen, in pixels. */
  drift: [x: number, y: number];
}

/** Weights of the parts of a similarity, which add up to 1. */
const WEIGHTS = { overlap: 0.45, distance: 0.35, appearance: 0.2 } as const;
/** Similarity below which a track and a detection are different objects. */
const MIN_SIMILARITY = 0.25;
/** Similarity of appearance and size from which an object that was away is taken for the one that returns. */
const MIN_RETURN_SIMILARITY = 0.5;
/** A track that was not seen for longer than this may return anywhere, seconds. */
const AWAY_S = 0.35;
/** Weights of the newest observation in the running means of velocity and appearance. */
const [VELOCITY_GAIN, APPEARANCE_GAIN] = [0.4, 0.15];

/**
 * Keeps the identity of objects from frame to frame. A detection continues the track of the same phrase that is most similar:
 * by overlap with the box that its motion predicts, by distance, and by appearance; the assignment with the largest sum
 * counts. The motion of the camera, the median displacement of all continued tracks, is taken from the predictions. Tracks
 * that are not seen move on for `maxAgeS`; an object that returns is recognized by appearance and size.
 */
export class Tracker {
  private tracks: Track[] = [];
  private nextId = 1;
  private timeS = -Infinity;
  private readonly maxAgeS: number;
  private readonly duplicateIou: number;

  constructor({ maxAgeS = 3, duplicateIou = 0.7 }: TrackerOptions = {}) {
    this.maxAgeS = maxAgeS;
    this.duplicateIou = duplicateIou;
  }

  /**
   * Ids of the detections of the next frame, from 1; undefined for a duplicate of a better detection.
   *
   * @param timeS time of the frame in seconds, not before that of the last one
   */
  update(timeS: number, detections: readonly TrackableDetection[]): (number | undefined)[] {
    const elapsedS = Number.isFinite(this.timeS) ? Math.max(0, timeS - this.timeS) : 0;
    this.timeS = timeS;
    this.tracks = this.tracks.filter(({ seenS }) => timeS - seenS <= this.maxAgeS);
    const ids: (number | undefined)[] = detections.map(() => undefined);
    const open = new Set(this.withoutDuplicates(detections));
    this.moveWithCamera(timeS, detections, open);
    const isAway = ({ seenS }: Track): boolean => timeS - seenS > AWAY_S + elapsedS;
    const stages = [
      { tracks: this.tracks.filter((track) => !isAway(track)), similarity: similarityOf, least: MIN_SIMILARITY },
      { tracks: this.tracks, similarity: similarityOf, least: MIN_SIMILARITY },
      {
        tracks: this.tracks.filter((track) => timeS - track.seenS > elapsedS * 1.5),
        similarity: returnSimilarityOf,
        least: MIN_RETURN_SIMILARITY,
      },
    ];
    const continued = new Set<Track>();
    for (const { tracks, similarity, least } of stages) {
      const left = tracks.filter((track) => !continued.has(track));
      for (const [track, index] of assigned(left, detections, [...open], timeS, similarity, least)) {
        ids[index] = track.id;
        continued.add(track);
        open.delete(index);
        observe(track, detections[index]!, timeS);
      }
    }
    for (const index of open) ids[index] = this.begin(detections[index]!, timeS);
    return ids;
  }

  private begin({ box, phrase, embedding }: TrackableDetection, timeS: number): number {
    const id = this.nextId++;
    const unit = embedding === undefined ? undefined : unitOf(embedding);
    this.tracks.push({ id, phrase, box, velocity: [0, 0], embedding: unit, seenS: timeS, drift: [0, 0] });
    return id;
  }

  /** Indices of the detections that are no duplicates, best first. */
  private withoutDuplicates(detections: readonly TrackableDetection[]): number[] {
    const ranked = detections
      .map(({ box, score, phrase }, index) => ({ box, score, phrase, index }))
      .sort((a, b) => b.score - a.score);
    return withoutDuplicates(ranked, this.duplicateIou, ({ phrase }) => phrase).map(({ index }) => index);
  }

  /** Moves all tracks by the median displacement of those that a first assignment continues. */
  private moveWithCamera(timeS: number, detections: readonly TrackableDetection[], open: ReadonlySet<number>): void {
    const first = assigned(this.tracks, detections, [...open], timeS, similarityOf, MIN_SIMILARITY);
    if (first.length < 3) return;
    const shifts = first.map(([track, index]) => {
      const [x, y] = centerOf(predicted(track, timeS));
      const [toX, toY] = centerOf(detections[index]!.box);
      return [toX - x, toY - y] as const;
    });
    const shift = [median(shifts.map(([x]) => x)), median(shifts.map(([, y]) => y))] as const;
    for (const track of this.tracks) track.drift = [track.drift[0] + shift[0], track.drift[1] + shift[1]];
  }
}

type Similarity = (track: Track, detection: TrackableDetection, timeS: number) => number;

/** Assignment of tracks to detections with the largest sum of similarities, of which none is below `least`. */
const assigned = (
  tracks: readonly Track[],
  detections: readonly TrackableDetection[],
  open: readonly number[],
  timeS: number,
  similarity: Similarity,
  least: number,
): [Track, number][] => {
  if (tracks.length === 0 || open.length === 0) return [];
  const gains = new Float64Array(tracks.length * open.length);
  tracks.forEach((track, row) =>
    open.forEach((index, column) => {
      const detection = detections[index]!;
      const value = track.phrase === detection.phrase ? similarity(track, detection, timeS) : 0;
      gains[row * open.length + column] = value >= least ? value : 0;
    }),
  );
  const { rows, columns } = linearSumAssignment(
    gains.map((gain) => -gain),
    tracks.length,
    open.length,
  );
  return Array.from(rows, (row, i): [Track, number, number] => [
    tracks[row]!,
    open[columns[i]!]!,
    gains[row * open.length + columns[i]!]!,
  ]).flatMap(([track, index, gain]) => (gain > 0 ? [[track, index] as [Track, number]] : []));
};

/** Box of a track at a time, if it went on as before. Motion is trusted for a second. */
const predicted = ({ box, velocity, seenS, drift }: Track, timeS: number): BoxXyxy => {
  const passed = Math.min(timeS - seenS, 1);
  const [dx, dy] = [velocity[0] * passed + drift[0], velocity[1] * passed + drift[1]];
  return [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy];
};

const similarityOf: Similarity = (track, { box, embedding }, timeS) => {
  const expected = predicted(track, timeS);
  const overlap = iouXyxy(expected, 0, box, 0);
  const [[ax, ay], [bx, by]] = [centerOf(expected), centerOf(box)];
  const reach = 1.5 * Math.sqrt(sideOf(expected) * sideOf(box));
  const distance = 1 - Math.hypot(ax - bx, ay - by) / reach;
  if (distance <= 0) return 0;
  return (
    WEIGHTS.overlap * overlap +
    WEIGHTS.distance * distance +
    WEIGHTS.appearance * appearanceOf(track.embedding, embedding)
  );
};

/** Similarity of an object that comes back, wherever that is; the nearer of two equal ones is preferred. */
const returnSimilarityOf: Similarity = (track, { box, embedding }, timeS) => {
  const ratio = sideOf(track.box) / sideOf(box);
  const size = Math.min(ratio, 1 / ratio);
  const [[ax, ay], [bx, by]] = [centerOf(predicted(track, timeS)), centerOf(box)];
  const nearness = 1 / (1 + Math.hypot(ax - bx, ay - by) / (4 * sideOf(box)));
  return 0.45 * appearanceOf(track.embedding, embedding) + 0.35 * size + 0.2 * nearness;
};

const observe = (track: Track, { box, embedding }: TrackableDetection, timeS: number): void => {
  const passed = timeS - track.seenS;
  if (passed > 0) {
    const [ax, ay] = centerOf(track.box);
    const [bx, by] = centerOf(box);
    const seen = [(bx - ax - track.drift[0]) / passed, (by - ay - track.drift[1]) / passed] as const;
    const gain = passed > AWAY_S ? 1 : VELOCITY_GAIN;
    track.velocity = [
      track.velocity[0] + gain * (seen[0] - track.velocity[0]),
      track.velocity[1] + gain * (seen[1] - track.velocity[1]),
    ];
  }
  track.box = box;
  track.seenS = timeS;
  track.drift = [0, 0];
  if (embedding === undefined) return;
  const unit = unitOf(embedding);
  const before = track.embedding;
  track.embedding =
    before === undefined ? unit : before.map((value, i) => value + APPEARANCE_GAIN * (unit[i]! - value));
};

/** Cosine of two embeddings, 0 to 1; 0.5 if either is unknown. */
const appearanceOf = (a: Float64Array | undefined, b: ArrayLike<number> | undefined): number => {
  if (a === undefined || b === undefined) return 0.5;
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return aa === 0 || bb === 0 ? 0.5 : Math.max(0, dot / Math.sqrt(aa * bb));
};

const unitOf = (values: ArrayLike<number>): Float64Array => {
  const length = Math.hypot(...Array.from(values)) || 1;
  return Float64Array.from(Array.from(values), (value) => value / length);
};

const centerOf = ([x0, y0, x1, y1]: BoxXyxy): readonly [number, number] => [(x0 + x1) / 2, (y0 + y1) / 2];

/** Geometric mean of width and height, at least one pixel. */
const sideOf = ([x0, y0, x1, y1]: BoxXyxy): number =>
  Math.max(1, Math.sqrt(Math.max(0, x1 - x0) * Math.max(0, y1 - y0)));

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};
