import { setTimeout as pause } from 'node:timers/promises';
import sharp from 'sharp';
import { Client } from 'undici';
import { MDETR } from '../../src/inference/node/mdetr.ts';
import type { DetectionResult } from '../../src/results/types.ts';
import { generateScene } from '../../src/scenes/index.ts';
import { formOf, type FormFields } from './server-requests.ts';

/** Captions of the load. */
export const LOAD_CAPTIONS = ['a red cube', 'the small ball', 'two metal cylinders', 'a large green rubber sphere'];

/** A scene as a PNG file. */
export const scenePng = async (seed: number, index: number, width = 320, height = 240) => {
  const { data } = generateScene(seed, index, { width, height }).image;
  const png = sharp(data, { raw: { width, height, channels: 3 } }).png();
  return new Uint8Array(await png.toBuffer());
};

/** A request as it is sent: made once, so that a generator of load costs little for each. */
export interface LoadRequest {
  readonly method: 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Request with a multipart body for detections in an image. */
export const loadRequestOf = async (
  image: Uint8Array<ArrayBuffer>,
  caption: string,
  options: FormFields = {},
): Promise<LoadRequest> => {
  const message = new Response(formOf({ image, caption, ...options }));
  const headers = { 'content-type': message.headers.get('content-type')! };
  return { method: 'POST', path: '/v1/detect', headers, body: Buffer.from(await message.arrayBuffer()) };
};

/** A request, and its result without any other one beside it. */
export interface LoadCase {
  readonly image: Uint8Array<ArrayBuffer>;
  readonly caption: string;
  readonly request: LoadRequest;
  readonly alone: DetectionResult;
}

/** Requests of three image sizes, so that batches have to be told apart. */
export const makeLoadCases = async (cacheDir: string | undefined, images = 24): Promise<LoadCase[]> => {
  const sizes = [
    [320, 240],
    [240, 320],
    [300, 300],
  ] as const;
  const model = await MDETR.fromPretrained('default', { cacheDir, threads: 1 });
  const cases: LoadCase[] = [];
  for (let index = 0; index < images; index++) {
    const image = await scenePng(5, index, ...sizes[index % sizes.length]!);
    for (const caption of LOAD_CAPTIONS) {
      const request = await loadRequestOf(image, caption, { threshold: '0' });
      cases.push({ image, caption, request, alone: await model.detect(image, caption, { threshold: 0 }) });
    }
  }
  await model.dispose();
  return cases;
};

/** @throws {Error} if an answer is not the result of the case alone, up to rounding */
export const checkAnswer = (found: DetectionResult, { caption, alone }: LoadCase): void => {
  if (found.caption !== caption) throw new Error(`"${caption}" was answered with the result of "${found.caption}"`);
  const rows = ({ detections }: DetectionResult) =>
    detections.toSorted((a, b) => a.query - b.query).map(({ query, score, box }) => [query, score * 100, ...box]);
  const [a, b] = [rows(found), rows(alone)];
  const isNear = (row: readonly number[], i: number): boolean =>
    row.every((value, k) => Math.abs(value - b[i]![k]!) < 5e-3);
  if (a.length !== b.length || !a.every(isNear))
    throw new Error(`"${caption}" was answered with other detections than alone`);
};

/** Answers by status or by code of a failed connection, and the times of those that were accepted. */
export interface LoadReport {
  readonly counts: ReadonlyMap<number | string, number>;
  readonly acceptedMs: readonly number[];
}

/** How a server is loaded. */
export interface LoadOptions {
  /** Number of connections, each with one request at a time. */
  readonly clients: number;
  readonly isOver: (sent: number) => boolean;
  /** Requests per second, evenly spaced, whatever is answered; by default a client sends as soon as it has its answer. */
  readonly rate?: number | undefined;
}

/** Pause of a client that was refused, in milliseconds. */
const REFUSED_MS = 20;

/**
 * Sends requests until `isOver`. Without a rate, a client that is refused tries again soon, which keeps an overload up. A client
 * ends once connections are refused.
 *
 * @throws {Error} if an answer is wrong, or a refusal does not say when to try again
 */
export const loadServer = async (
  url: string,
  cases: readonly LoadCase[],
  { clients, isOver, rate }: LoadOptions,
): Promise<LoadReport> => {
  const counts = new Map<number | string, number>();
  const acceptedMs: number[] = [];
  const begun = performance.now();
  let sent = 0;
  const count = (key: number | string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
  const client = async (): Promise<void> => {
    const connection = new Client(url);
    while (!isOver(sent)) {
      const index = sent++;
      const one = cases[(index * 7) % cases.length]!;
      if (rate !== undefined) {
        const aheadMs = begun + (index * 1000) / rate - performance.now();
        if (aheadMs > 1) await pause(aheadMs);
      }
      const started = performance.now();
      try {
        const { statusCode, headers, body } = await connection.request(one.request);
        const text = await body.text();
        count(statusCode);
        if (statusCode === 200) {
          acceptedMs.push(performance.now() - started);
          checkAnswer(JSON.parse(text) as DetectionResult, one);
        } else {
          if (!(Number(headers['retry-after']) >= 1)) throw new Error('a refusal has no Retry-After');
          if (rate === undefined) await pause(REFUSED_MS);
        }
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === undefined) throw error;
        count(code);
        if (code === 'ECONNREFUSED') break;
      }
    }
    await connection.destroy();
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { counts, acceptedMs };
};

/** Value below which a fraction of the times lies. */
export const percentile = (times: readonly number[], fraction: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(fraction * (times.length - 1))] ?? NaN;
