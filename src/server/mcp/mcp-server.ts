import { isAbsolute, relative, resolve } from 'node:path';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import * as z from 'zod';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import { drawDetections } from '../../drawing/node/index.ts';
import { MdetrError, messageOf } from '../../errors.ts';
import { isWebUrl } from '../../fetching/web-url.ts';
import type { LoadedModel } from '../../inference/loaded-model.ts';
import { answerLine, detectionLine, referLine } from '../../results/result-lines.ts';
import type { AnswerResult, DetectionResult, ReferResult } from '../../results/types.ts';
import { TEXT_KEYS, textSchema } from '../http/request-schemas.ts';
import { TASKS, type TaskName } from '../worker/messages.ts';

/** Settings of the tools. */
export interface ToolSettings {
  /** Folders whose images may be read; any if there are none. */
  readonly roots: readonly string[];
  /** Fetch images from URLs of public addresses. */
  readonly allowUrls: boolean;
  readonly maxPixels?: number | undefined;
}

const DESCRIPTIONS: Readonly<Record<TaskName, string>> = {
  detect:
    'Find the objects that a caption mentions in an image. Returns boxes in pixels (x0, y0, x1, y1), scores, and the phrase of the caption that each box refers to.',
  refer:
    'Find the one object in an image that an expression refers to, such as "the dog on the left". Returns its box.',
  ask: 'Answer a question about an image, with the boxes of the objects that the question mentions.',
};

interface ToolInput {
  readonly image: string;
  readonly texts: string;
  readonly threshold?: number | undefined;
  readonly masks?: boolean | undefined;
  readonly draw?: boolean | undefined;
}

/** Adds the three tasks of a model to a server as tools. A model without question heads has no `ask`. */
export const addTools = (server: McpServer, model: LoadedModel, settings: ToolSettings): void => {
  for (const task of TASKS) {
    if (task === 'ask' && !model.config.do_qa) continue;
    const [textKey] = TEXT_KEYS[task];
    const inputSchema: Record<string, z.ZodType> = {
      image: z.string().min(1).describe('Path of an image file, a data URL with base64, or an http or https URL'),
      [textKey]: textSchema,
      threshold: z.number().min(0).max(1).optional().describe('Score that a detection must exceed'),
      draw: z.boolean().optional().describe('Also return the image with the boxes drawn'),
    };
    if (model.hasMasks)
      inputSchema['masks'] = z.boolean().optional().describe('Also predict masks, as COCO run lengths');
    const annotations = { readOnlyHint: true, openWorldHint: settings.allowUrls };
    server.registerTool(task, { description: DESCRIPTIONS[task], inputSchema, annotations }, async (input) => {
      const { [textKey]: texts, ...rest } = input as Record<string, unknown>;
      return call(model, task, { ...rest, texts } as ToolInput, settings);
    });
  }
};

/** Runs a tool. Errors that the caller can fix are results, so that a language model reads them. */
const call = async (
  model: LoadedModel,
  task: TaskName,
  input: ToolInput,
  settings: ToolSettings,
): Promise<CallToolResult> => {
  try {
    const image = await readImage(input.image, settings);
    const { threshold, masks, draw, texts } = input;
    const options = { threshold, masks };
    const { json, result, note } = await RUNS[task](model, image, texts, options);
    const structuredContent = { ...json, image: isDataUrl(input.image) ? 'image' : input.image };
    const content: CallToolResult['content'] = [{ type: 'text', text: JSON.stringify(structuredContent) }];
    if (draw === true) {
      const png = await drawDetections(image, { caption: texts, detections: result.detections, note });
      content.push({ type: 'image', data: Buffer.from(png).toString('base64'), mimeType: 'image/png' });
    }
    return { content, structuredContent };
  } catch (error) {
    if (!(error instanceof MdetrError)) throw error;
    return { content: [{ type: 'text', text: messageOf(error) }], isError: true };
  }
};

interface TaskResult {
  readonly json: Record<string, unknown>;
  readonly result: DetectionResult | ReferResult | AnswerResult;
  readonly note?: string | undefined;
}

type Run = (
  model: LoadedModel,
  image: RawImage,
  text: string,
  options: { readonly threshold?: number | undefined; readonly masks?: boolean | undefined },
) => Promise<TaskResult>;

const RUNS: Readonly<Record<TaskName, Run>> = {
  detect: async (model, image, text, options) => {
    const result = await model.detect(image, text, options);
    return { json: detectionLine(result), result };
  },
  refer: async (model, image, text, options) => {
    const result = await model.refer(image, text, options);
    const detections = result.best === null ? [] : [result.best];
    return { json: referLine(result), result: { ...result, detections } };
  },
  ask: async (model, image, text, options) => {
    const result = await model.ask(image, text, options);
    return { json: answerLine(result), result, note: `${result.answer} (${(100 * result.probability).toFixed(1)} %)` };
  },
};

const isDataUrl = (image: string): boolean => image.startsWith('data:');

const readImage = async (image: string, { roots, allowUrls, maxPixels }: ToolSettings): Promise<RawImage> => {
  if (isDataUrl(image)) return decodeImage(image, { maxPixels, name: 'image' });
  if (isWebUrl(image)) return decodeImage(image, { maxPixels, name: image, urls: allowUrls ? 'public' : 'refuse' });
  const path = resolve(image);
  const isInside = (root: string): boolean => {
    const inner = relative(resolve(root), path);
    return inner !== '' && !inner.startsWith('..') && !isAbsolute(inner);
  };
  if (roots.length > 0 && !roots.some(isInside))
    throw new MdetrError(`${image}: only images in ${roots.join(', ')} may be read (--root)`);
  return decodeImage(path, { maxPixels, name: image });
};
