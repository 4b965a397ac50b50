import * as z from 'zod';
import type { DetectionResult } from '../../results/types.ts';
import { checked, imageOf, parseJson, type RequestImage } from '../http/inference-body.ts';
import type { RequestContext } from '../http/request-context.ts';
import { Problem } from '../problems.ts';
import type { RequestFacts, Service } from '../service.ts';
import { parseLabelConfig } from './label-config.ts';
import type { LabelStudio } from './label-studio.ts';
import { captionOf, predictionOf, type Prediction } from './predictions.ts';

/** Maximum number of tasks of one request. */
const MAX_TASKS = 200;

const predictSchema = z.object({
  tasks: z.array(z.object({ data: z.record(z.string(), z.unknown()) })).max(MAX_TASKS),
  label_config: z.string().max(1e6),
});

/** Answers `POST /predict` of Label Studio's protocol for machine learning backends: one prediction for each task. */
export const predictTasks = async (
  service: Service,
  request: Request,
  context: RequestContext,
  facts: RequestFacts,
): Promise<{ readonly results: readonly Prediction[]; readonly model_version: string }> =>
  service.withBody(request, context, async (bytes, signal) => {
    const { tasks, label_config: xml } = checked(predictSchema, parseJson(bytes));
    const config = parseLabelConfig(xml);
    const [first] = await service.models();
    const version = first!.name;
    const predict = async (data: Readonly<Record<string, unknown>>): Promise<Prediction> => {
      const caption = captionOf(data, config);
      const image = data[config.image.key];
      if (caption === undefined)
        throw new Problem('invalid-request', 'the task has no caption and the labeling interface has no labels');
      if (typeof image !== 'string')
        throw new Problem('invalid-request', `data.${config.image.key}: must be the address of an image`);
      const body = {
        model: undefined,
        texts: [caption],
        isList: false,
        options: {
          masks: config.polygons !== undefined && first!.masks ? true : undefined,
          truncation: 'end' as const,
        },
        image: taskImage(image, service.settings.labelStudio),
        name: 'image',
      };
      const { results } = await service.infer('detect', body, signal, facts);
      return predictionOf(JSON.parse(results[0]!) as DetectionResult, config);
    };
    const results: Prediction[] = [];
    const { batchSize } = service.settings;
    for (let start = 0; start < tasks.length; start += batchSize) {
      const some = tasks.slice(start, start + batchSize);
      const outcomes = await Promise.allSettled(some.map(({ data }) => predict(data)));
      signal.throwIfAborted();
      // The error of a single task is shown to its annotator; in a batch, the other tasks are still answered.
      if (tasks.length === 1 && outcomes[0]?.status === 'rejected') throw outcomes[0].reason;
      for (const outcome of outcomes)
        results.push(outcome.status === 'fulfilled' ? outcome.value : { model_version: version, score: 0, result: [] });
    }
    return { results, model_version: version };
  });

/** Image of a task: a data URL, a URL, or a path of Label Studio's own. */
const taskImage = (image: string, labelStudio: boolean | LabelStudio): RequestImage => {
  // `//host/a.png` names another host, which must not receive the token.
  const isPath = /^\/(?!\/)/.test(image);
  if (typeof labelStudio !== 'object') {
    if (!isPath) return imageOf(image);
    throw new Problem(
      'image-url-refused',
      'the image is a path of Label Studio: start the server with --label-studio URL and LABEL_STUDIO_API_KEY',
    );
  }
  const { url: base, token } = labelStudio;
  const isAddress = (isPath || /^https?:/i.test(image)) && URL.canParse(image, base);
  const url = isAddress ? new URL(image, base) : undefined;
  if (url?.origin !== new URL(base).origin) return imageOf(image);
  return { url, isOwn: true, authorization: token === undefined ? undefined : `Token ${token}` };
};
