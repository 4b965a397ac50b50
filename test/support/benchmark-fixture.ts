import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect } from 'vitest';
import { evaluateBenchmark, type EvaluationRequest } from '../../src/benchmarks/benchmark.ts';
import type { BenchmarkReport } from '../../src/benchmarks/benchmark-report.ts';
import { benchmarkNamed } from '../../src/benchmarks/registry.ts';
import { validateAnnotations, type ValidationTask } from '../../src/benchmarks/validation.ts';
import { AnnotatedImages } from '../../src/data/images/node/annotated-images.ts';
import { ImageRoots } from '../../src/data/images/node/image-roots.ts';
import { MDETR } from '../../src/inference/node/mdetr.ts';
import type { Metrics } from '../../src/metrics/metrics.ts';

/** Options of a test's evaluation: the task, and whatever differs from the defaults. */
type TestRequest = Partial<EvaluationRequest> & { readonly task: string; readonly annotations: string };

/** Height and width of the images. */
export const IMAGE_SIZE = [40, 60] as const;

/** A folder with images and annotation files, and the default model, for tests of benchmarks. */
export class BenchmarkFixture {
  private constructor(
    readonly folder: string,
    readonly model: MDETR,
  ) {}

  /** @param images paths of the images, relative to the folder */
  static async create(images: readonly string[] = ['1.png', '2.png']): Promise<BenchmarkFixture> {
    const folder = mkdtempSync(join(tmpdir(), 'mdetr-benchmarks-'));
    const model = await MDETR.fromPretrained('default', { cacheDir: join(folder, 'cache') });
    const fixture = new BenchmarkFixture(folder, model);
    const [height, width] = IMAGE_SIZE;
    for (const name of images) {
      const background = { r: 90, g: 120, b: name.length * 20 };
      await sharp({ create: { width, height, channels: 3, background } })
        .png()
        .toFile(fixture.write(name, ''));
    }
    return fixture;
  }

  async remove(): Promise<void> {
    await this.model.dispose();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Writes a text, or a value as JSON. @returns the path */
  write(name: string, value: unknown): string {
    const path = join(this.folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
    return path;
  }

  /** Writes a file of saved predictions. @returns the path */
  save(name: string, format: string, predictions: readonly unknown[]): string {
    const lines = [{ mdetr_predictions: format }, ...predictions].map((line) => JSON.stringify(line));
    return this.write(name, lines.join('\n'));
  }

  /** Evaluates saved predictions, or the model. */
  async evaluate({ task, ...request }: TestRequest): Promise<BenchmarkReport> {
    const [report] = await evaluateBenchmark(benchmarkNamed(task), {
      model: request.predictions === undefined ? this.model : undefined,
      images: [this.folder],
      batchSize: 2,
      onBadRow: 'stop',
      wantsSubmission: false,
      worst: 0,
      ...request,
    });
    return report!;
  }

  /** Metrics of a validation during training. */
  async validate(
    annotations: string,
    task: string,
    files: Pick<ValidationTask, 'groundTruth' | 'subset'>,
  ): Promise<Metrics> {
    const benchmark = benchmarkNamed(task);
    const { metrics } = await validateAnnotations(this.model, {
      annotations,
      images: new AnnotatedImages(ImageRoots.of(this.folder)),
      tasks: [{ benchmark: { ...benchmark, validation: benchmark.validation! }, ...files }],
      limit: 0,
      batchSize: 2,
      onBadRow: 'stop',
    });
    return metrics;
  }

  /**
   * Checks that saved predictions give the results of the run that saved them.
   *
   * @param checkSaved gets the saved predictions
   */
  async expectRoundTrip(
    request: TestRequest,
    checkSaved: (predictions: Record<string, unknown>[]) => void,
  ): Promise<BenchmarkReport> {
    const savePredictions = join(this.folder, `${request.task}-saved.jsonl`);
    const direct = await this.evaluate({ ...request, savePredictions, worst: 5 });
    const lines = readFileSync(savePredictions, 'utf8').trim().split('\n');
    checkSaved(lines.slice(1).map((line) => JSON.parse(line) as Record<string, unknown>));
    const later = await this.evaluate({ ...request, predictions: savePredictions, worst: 5 });
    expect(later.results).toEqual(direct.results);
    expect(later.worst.map(({ quality, text }) => ({ quality, text }))).toEqual(
      direct.worst.map(({ quality, text }) => ({ quality, text })),
    );
    for (const { image } of later.worst) expect((await image()).length).toBeGreaterThan(100);
    return direct;
  }
}

/** An image row of an annotation file. */
export const imageRow = (id: number, caption: string, more: Record<string, unknown> = {}) => ({
  id,
  file_name: `${id}.png`,
  height: IMAGE_SIZE[0],
  width: IMAGE_SIZE[1],
  caption,
  ...more,
});
