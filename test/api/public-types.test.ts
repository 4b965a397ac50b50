/** Types of the public entry points, checked by the compiler (`npm run typecheck`). Those of `mdetr/web` are in test/web-types/. */
import { expectTypeOf, it } from 'vitest';
import type * as mdetr from 'mdetr';
import type * as data from 'mdetr/data';
import type * as engine from 'mdetr/engine';
import type * as losses from 'mdetr/losses';
import type * as metrics from 'mdetr/metrics';
import type * as models from 'mdetr/models';
import type * as scenes from 'mdetr/scenes';
import type * as server from 'mdetr/server';
import type * as train from 'mdetr/train';

type Model = mdetr.MDETR;

it('mdetr: one text gives a result, several give an array', () => {
  expectTypeOf<typeof mdetr.MDETR.fromPretrained>()
    .parameter(1)
    .toEqualTypeOf<mdetr.FromPretrainedOptions | undefined>();
  expectTypeOf<typeof mdetr.MDETR.fromPretrained>().returns.resolves.toEqualTypeOf<Model>();
  const calls = async (model: Model, image: mdetr.ImageSource): Promise<void> => {
    expectTypeOf(await model.detect(image, 'a')).toEqualTypeOf<mdetr.DetectionResult>();
    expectTypeOf(await model.detect(image, ['a', 'b'])).toEqualTypeOf<mdetr.DetectionResult[]>();
    expectTypeOf(await model.refer(image, 'a')).toEqualTypeOf<mdetr.ReferResult>();
    expectTypeOf(await model.refer(image, ['a'])).toEqualTypeOf<mdetr.ReferResult[]>();
    expectTypeOf(await model.ask(image, 'a?')).toEqualTypeOf<mdetr.AnswerResult>();
    expectTypeOf(await model.ask(image, ['a?'])).toEqualTypeOf<mdetr.AnswerResult[]>();
    expectTypeOf(await model.encodeImage(image)).toEqualTypeOf<mdetr.EncodedImage>();
    // @ts-expect-error an option's name is wrong
    await model.detect(image, 'a', { treshold: 0.5 });
    // @ts-expect-error a threshold is a number
    await model.detect(image, 'a', { threshold: '0.5' });
  };
  expectTypeOf(calls).returns.resolves.toBeVoid();
});

it('mdetr: a result has boxes in pixels and spans as ranges', () => {
  type Detection = mdetr.DetectionResult['detections'][number];
  expectTypeOf<Detection['box']>().toEqualTypeOf<readonly [x0: number, y0: number, x1: number, y1: number]>();
  expectTypeOf<Detection['score']>().toEqualTypeOf<number>();
  expectTypeOf<Detection['spans'][number]>().toExtend<{ readonly start: number; readonly end: number }>();
  expectTypeOf<mdetr.ReferResult['best']>().toEqualTypeOf<mdetr.ReferredObject | null>();
  expectTypeOf<mdetr.AnswerResult['answers'][number]>().toEqualTypeOf<mdetr.RankedAnswer>();
  expectTypeOf<typeof mdetr.draw>().returns.resolves.toEqualTypeOf<Uint8Array>();
  expectTypeOf<typeof mdetr.decodeImage>().returns.resolves.toEqualTypeOf<mdetr.RawImage>();
  expectTypeOf<typeof mdetr.parseResult>().returns.resolves.toEqualTypeOf<
    mdetr.DetectionResult | mdetr.ReferResult | mdetr.AnswerResult
  >();
});

it('mdetr/train: a config by path or values, and a summary', () => {
  expectTypeOf<typeof train.runTraining>().parameter(0).toEqualTypeOf<string | train.ConfigValues>();
  expectTypeOf<typeof train.runTraining>().returns.resolves.toEqualTypeOf<train.RunSummary>();
  expectTypeOf<train.RunSummary['best']>().toEqualTypeOf<
    { readonly metric: number; readonly step: number } | undefined
  >();
  expectTypeOf<train.Training['batchOf']>().returns.resolves.toEqualTypeOf<train.TrainBatch>();
  expectTypeOf<train.Training['step']>().returns.resolves.toEqualTypeOf<train.StepReport>();
  expectTypeOf<typeof train.parseTrainConfig>().returns.toEqualTypeOf<train.TrainConfig>();
  expectTypeOf<typeof train.calibrate>().returns.resolves.toEqualTypeOf<train.Calibrated>();
  expectTypeOf<typeof train.finetune>().returns.resolves.toEqualTypeOf<train.FinetuneReport>();
});

it('mdetr/metrics: evaluators take predictions of their format', () => {
  expectTypeOf<metrics.RefexpPrecisionEvaluator>().toExtend<metrics.Evaluator<metrics.RefexpPrediction>>();
  expectTypeOf<metrics.CocoApEvaluator>().toExtend<metrics.Evaluator<metrics.DetectionPrediction>>();
  expectTypeOf<metrics.CocoApEvaluator['summarize']>().returns.toEqualTypeOf<metrics.Metrics>();
  expectTypeOf<(typeof metrics.PREDICTION_FORMATS)['refexp']>().toEqualTypeOf<
    metrics.PredictionFormat<metrics.RefexpPrediction>
  >();
});

it('mdetr/data: rows, samples, imports and exports', () => {
  expectTypeOf<data.RowReader['read']>().returns.toEqualTypeOf<data.CocoRow | undefined>();
  expectTypeOf<data.Sample>().toEqualTypeOf<{ readonly image: data.RawImage; readonly target: data.Target }>();
  expectTypeOf<typeof data.importDataset>().returns.resolves.toEqualTypeOf<data.ImportReport>();
  expectTypeOf<typeof data.exportResults>().returns.resolves.toEqualTypeOf<data.ExportReport>();
  expectTypeOf<typeof data.boxXyxyToXywh>().returns.toEqualTypeOf<data.BoxXywh>();
});

it('mdetr/scenes: scenes with texts of a kind', () => {
  expectTypeOf<typeof scenes.generateScene>().returns.toEqualTypeOf<scenes.RenderedScene>();
  const textsOf = (scene: scenes.Scene, random: scenes.Random, { makeTexts }: typeof scenes): void => {
    expectTypeOf(makeTexts(scene, 'question', random)).toExtend<readonly scenes.QuestionText[]>();
    expectTypeOf(makeTexts(scene, 'caption', random)).toExtend<readonly scenes.CaptionText[]>();
  };
  expectTypeOf(textsOf).returns.toBeVoid();
  expectTypeOf<scenes.Color>().toEqualTypeOf<(typeof scenes.COLORS)[number]>();
});

it('mdetr/models: configs and opened models', () => {
  expectTypeOf<typeof models.parseModelConfig>().returns.toEqualTypeOf<models.ModelConfig>();
  expectTypeOf<typeof models.openModelSource>().returns.resolves.toEqualTypeOf<models.ModelSource>();
  expectTypeOf<models.ModelSource['model']>().toEqualTypeOf<models.MdetrNetwork>();
  expectTypeOf<typeof models.describeModel>().returns.resolves.toEqualTypeOf<models.ModelInfo>();
});

it('mdetr/losses: a loss is registered by its declaration', () => {
  expectTypeOf<typeof losses.registerLoss>().parameters.toEqualTypeOf<[loss: losses.Loss]>();
  expectTypeOf<losses.Loss>().toEqualTypeOf<losses.MatchedLoss | losses.UnmatchedLoss>();
  expectTypeOf<ReturnType<losses.Loss['weight']>>().toEqualTypeOf<Readonly<Record<string, number>>>();
});

it('mdetr/engine: programs are typed by their inputs and outputs', () => {
  const programOf = async ({ defineProgram, tensorType, add, float32Tensor, createRuntime }: typeof engine) => {
    const program = defineProgram({
      name: 'sum',
      inputs: { a: tensorType([2]), b: tensorType([2]) },
      trace: ({ a, b }) => ({ sum: add(a, b) }),
    });
    const session = await (await createRuntime()).load(program);
    const value = float32Tensor([2], [1, 2]);
    const results = await session.run({ a: value, b: value });
    expectTypeOf(results.sum).toEqualTypeOf<engine.HostTensor>();
    // @ts-expect-error the program has no output of this name
    const _total: unknown = results.total;
    // @ts-expect-error an input is missing
    await session.run({ a: value });
  };
  expectTypeOf(programOf).returns.resolves.toBeVoid();
});

it('mdetr/server: a fetch handler', () => {
  expectTypeOf<typeof server.createHandler>().parameters.toEqualTypeOf<[options?: server.ServerOptions]>();
  expectTypeOf<server.ServerHandler>().toBeCallableWith(new Request('http://localhost/v1/models'));
  expectTypeOf<ReturnType<server.ServerHandler>>().resolves.toEqualTypeOf<Response>();
});
