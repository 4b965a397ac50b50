import * as z from 'zod';
import { createDocument, type ZodOpenApiPathsObject, type ZodOpenApiResponsesObject } from 'zod-openapi';
import { answerResultSchema, detectionResultSchema, referResultSchema } from '../../results/schema.ts';
import type { ServerSettings } from '../options.ts';
import { PROBLEM_PREFIX, PROBLEMS, type ProblemName } from '../problems.ts';
import { TASKS, type TaskName } from '../worker/messages.ts';
import { jsonBodySchema, multipartBodySchema } from './request-schemas.ts';

/** Names of all problems, in the order of their status. */
const PROBLEM_NAMES = Object.keys(PROBLEMS) as ProblemName[];

const problemSchema = z
  .object({
    type: z.enum(PROBLEM_NAMES.map((name) => `${PROBLEM_PREFIX}${name}`)),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What is wrong with this request, and the way out'),
    requestId: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'Error (RFC 9457)' });

const modelSchema = z
  .object({
    name: z.string(),
    device: z.string(),
    tasks: z.array(z.enum(TASKS)),
    masks: z.boolean().describe('Whether it has the segmentation head'),
    queries: z.int().describe('Maximum number of detections'),
    maxTokens: z.int().describe('Maximum length of a caption, in tokens'),
    notice: z.string().nullable().describe('What its authors say about it'),
  })
  .meta({ id: 'Model' });

const RESULTS = {
  detect: detectionResultSchema.meta({ id: 'DetectionResult' }),
  refer: referResultSchema.meta({ id: 'ReferResult' }),
  ask: answerResultSchema.meta({ id: 'AnswerResult' }),
} as const satisfies Record<TaskName, z.ZodType>;

const SUMMARIES: Readonly<Record<TaskName, string>> = {
  detect: 'Detect the objects that a caption mentions',
  refer: 'Find the one object that an expression refers to',
  ask: 'Answer a question about an image',
};

/** Problems of every path, and those that only tasks have. */
const COMMON: readonly ProblemName[] = [
  'unauthorized',
  'forbidden-origin',
  'method-not-allowed',
  'unknown-host',
  'internal',
];
const OF_TASKS: readonly ProblemName[] = PROBLEM_NAMES.filter((name) => name !== 'not-found' && name !== 'not-ready');

/** Responses for problems, one for each status. */
const problemResponses = (names: readonly ProblemName[]): ZodOpenApiResponsesObject => {
  const statuses = [...new Set(names.map((name) => PROBLEMS[name].status))];
  return Object.fromEntries(
    statuses.map((status) => {
      const those = names.filter((name) => PROBLEMS[name].status === status);
      return [
        String(status),
        {
          description: those.map((name) => `\`${name}\`: ${PROBLEMS[name].title}`).join('. '),
          headers:
            status === 503
              ? { 'Retry-After': { schema: { type: 'integer' as const }, description: 'Seconds to wait' } }
              : undefined,
          content: { 'application/problem+json': { schema: problemSchema } },
        },
      ];
    }),
  );
};

const taskPath = (task: TaskName, maxTexts: number) => ({
  post: {
    operationId: task,
    summary: SUMMARIES[task],
    description: 'One text answers with one result, several with a list in their order. The image is encoded once.',
    requestBody: {
      required: true,
      content: {
        'multipart/form-data': { schema: multipartBodySchema(task, maxTexts) },
        'application/json': {
          schema: z.union([jsonBodySchema(task, maxTexts, 'one'), jsonBodySchema(task, maxTexts, 'several')]),
        },
      },
    },
    responses: {
      '200': {
        description: 'The result, in the form of the command line (`--json`)',
        content: {
          'application/json': { schema: z.union([RESULTS[task], z.object({ results: z.array(RESULTS[task]) })]) },
        },
      },
      ...problemResponses(OF_TASKS),
    },
  },
});

const plainPath = (
  operationId: string,
  summary: string,
  contentType: string,
  schema: z.ZodType,
  problems: readonly ProblemName[] = [],
) => ({
  get: {
    operationId,
    summary,
    responses: {
      '200': { description: summary, content: { [contentType]: { schema } } },
      ...problemResponses([...COMMON, ...problems]),
    },
  },
});

/** The OpenAPI 3.1 document of the server, made of the schemas that validate its requests. */
export const openApiDocument = (
  version: string,
  { maxTexts, basePath, token }: Pick<ServerSettings, 'maxTexts' | 'basePath' | 'token'>,
): ReturnType<typeof createDocument> => {
  const paths: ZodOpenApiPathsObject = {
    ...Object.fromEntries(TASKS.map((task) => [`/v1/${task}`, taskPath(task, maxTexts)])),
    '/v1/models': plainPath('models', 'Models by name', 'application/json', z.object({ models: z.array(modelSchema) })),
    '/healthz': plainPath('healthz', 'The process runs', 'application/json', z.object({ status: z.literal('ok') })),
    '/readyz': plainPath(
      'readyz',
      'Requests are accepted',
      'application/json',
      z.object({ status: z.literal('ready'), workersReady: z.int() }),
      ['not-ready', 'draining'],
    ),
    '/metrics': plainPath('metrics', 'Metrics in the format of Prometheus', 'text/plain', z.string()),
  };
  return createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'mdetr',
        version,
        description: 'Text-modulated detection: boxes, masks and answers for an image and free text.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: basePath === '' ? '/' : basePath }],
      security: token === undefined ? [] : [{ bearer: [] }],
      paths,
      components: token === undefined ? {} : { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
    { allowEmptySchema: {} },
  );
};
