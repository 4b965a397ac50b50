import type * as z from 'zod';
import { excerpt } from '../../errors.ts';
import { isWebUrl } from '../../fetching/web-url.ts';
import { nearestKey } from '../../options/nearest-key.ts';
import { Problem, type FieldError } from '../problems.ts';
import type { RequestOptions, TaskName } from '../worker/messages.ts';
import { parseForm, type FormField } from './multipart.ts';
import { requestOptionsSchema, TEXT_KEYS, type BodySchemas } from './request-schemas.ts';

/** Image of a request: the bytes of a file, or a URL to fetch. */
export type RequestImage = { readonly bytes: Uint8Array } | RemoteImage;

/** An image at a URL. */
export interface RemoteImage {
  readonly url: URL;
  /** The server's options name this host, so it may have a private address. */
  readonly isOwn?: boolean | undefined;
  /** Header `authorization` for that host. */
  readonly authorization?: string | undefined;
}

/** A parsed request body. */
export interface InferenceBody {
  readonly model: string | undefined;
  readonly texts: readonly string[];
  /** Whether the request has a list of captions, so that the response is a list. */
  readonly isList: boolean;
  readonly options: RequestOptions;
  readonly image: RequestImage;
  readonly name: string;
}

const OPTION_KEYS = Object.keys(requestOptionsSchema.shape);

/** Maximum length of an image's name in results. */
const MAX_NAME_LENGTH = 100;

/**
 * Reads the body of a task: multipart or JSON.
 *
 * @throws {Problem} naming the invalid fields
 */
export const parseInferenceBody = (
  task: TaskName,
  bytes: Uint8Array,
  contentType: string,
  schemas: BodySchemas,
): InferenceBody => {
  const kind = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (kind === 'multipart/form-data') return fromForm(task, parseForm(bytes, contentType, 'image'), schemas);
  if (kind === 'application/json') return fromJson(task, parseJson(bytes), schemas);
  throw new Problem('unsupported-media-type', 'send multipart/form-data or application/json');
};

/** Parses JSON. @throws {Problem} if it is malformed, or not UTF-8 */
export const parseJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    const detail = error instanceof SyntaxError ? 'the body is not JSON' : 'the body is not UTF-8';
    throw new Problem('malformed-body', detail, { cause: error });
  }
};

const fromJson = (task: TaskName, json: unknown, schemas: BodySchemas): InferenceBody => {
  const [one, several] = TEXT_KEYS[task];
  const has = (key: string): boolean => typeof json === 'object' && json !== null && Object.hasOwn(json, key);
  if (has(one) && has(several))
    throw invalid([{ path: several, message: `give either ${one} or ${several}, not both` }]);
  const isList = has(several);
  const body = checked(isList ? schemas.several : schemas.one, json, ['image', one, several, ...OPTION_KEYS]);
  const { image, [isList ? several : one]: texts, ...rest } = body;
  const options = checked(requestOptionsSchema, rest);
  return {
    ...optionsOf(options),
    texts: isList ? (texts as string[]) : [texts as string],
    isList,
    image: imageOf(image as string),
    name: nameOf(options.name),
  };
};

const fromForm = (task: TaskName, form: readonly FormField[], schemas: BodySchemas): InferenceBody => {
  const [textKey] = TEXT_KEYS[task];
  const images = form.filter(({ name }) => name === 'image');
  const [image] = images;
  if (images.length !== 1) throw invalid([{ path: 'image', message: `one image is needed, got ${images.length}` }]);
  const texts = form.filter(({ name }) => name === textKey).map(({ value }) => value);
  const fields: Record<string, unknown> = {};
  for (const { name, value } of form) {
    if (name === 'image' || name === textKey) continue;
    if (Object.hasOwn(fields, name)) throw invalid([{ path: name, message: 'the field is repeated' }]);
    Object.defineProperty(fields, name, { value: fieldValue(name, value), enumerable: true });
  }
  const options = checked(requestOptionsSchema, fields, ['image', textKey, ...OPTION_KEYS]);
  if (texts.length === 0) throw invalid([{ path: textKey, message: 'is required' }]);
  const list = checked(schemas.texts, { [textKey]: texts })[textKey]!;
  const { value, fileName } = image!;
  return {
    ...optionsOf(options),
    texts: list,
    isList: list.length > 1,
    image: typeof value === 'string' ? imageOf(value) : { bytes: value },
    name: nameOf(options.name ?? fileName),
  };
};

/** Form fields are strings; numbers and booleans are parsed from them. */
const fieldValue = (key: string, value: FormField['value']): unknown => {
  if (typeof value !== 'string') return value;
  if ((key === 'threshold' || key === 'spanThreshold') && value.trim() !== '') return Number(value);
  if (key === 'masks' || key === 'truncate') return value === 'true' ? true : value === 'false' ? false : value;
  return value;
};

const optionsOf = ({ model, threshold, spanThreshold, masks, truncate }: z.infer<typeof requestOptionsSchema>) => ({
  model,
  options: { threshold, spanThreshold, masks, truncation: truncate === true ? ('end' as const) : undefined },
});

/** Image from a string: base64, a data URL, or an http or https URL. @throws {Problem} for others */
export const imageOf = (text: string): RequestImage => {
  if (isWebUrl(text)) {
    if (!URL.canParse(text)) throw new Problem('image-url-refused', 'the URL of the image cannot be parsed');
    return { url: new URL(text) };
  }
  // A data URL may have parameters; `base64` and others break lines.
  const data = /^data:[^,]{0,200};base64,/i.exec(text)?.[0] ?? '';
  const encoded = text.slice(data.length).trimEnd();
  if (!/^[A-Za-z0-9+/_\r\n-]+={0,2}$/.test(encoded))
    throw invalid([{ path: 'image', message: 'must be base64, a data URL with base64, or an http or https URL' }]);
  return { bytes: Buffer.from(encoded, 'base64') };
};

/** Last segment of a path-like name, without control characters. */
const nameOf = (given: string | undefined): string => {
  const last = (given ?? '').split(/[\\/]/).at(-1)!.replace(/\p{C}/gu, '').trim().slice(0, MAX_NAME_LENGTH);
  return last === '' || /^\.+$/.test(last) ? 'image' : last;
};

const invalid = (errors: readonly FieldError[]): Problem =>
  new Problem('invalid-request', errors.map(({ path, message }) => `${path}: ${message}`).join('; '), { errors });

/** Maximum number of field errors in a response. */
const MAX_ERRORS = 10;

/** Characters of an unknown key that are compared with the known ones. */
const MAX_KEY_LENGTH = 100;

const unknownKeys = (keys: readonly string[], known: readonly string[]): string => {
  const [key] = keys as readonly [string];
  const nearest = nearestKey(key.slice(0, MAX_KEY_LENGTH), known);
  const hint = nearest === undefined ? `the keys are ${known.join(', ')}` : `did you mean "${nearest}"?`;
  return `unknown key "${excerpt(key)}"; ${hint}`;
};

/**
 * Validates a value.
 *
 * @param known keys that the body may have, for the error of an unknown one
 * @throws {Problem} naming the invalid fields
 */
export const checked = <T>(schema: z.ZodType<T>, value: unknown, known: readonly string[] = []): T => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(
    parsed.error.issues.slice(0, MAX_ERRORS).map((issue) => ({
      path: excerpt(issue.path.map(String).join('.')) || 'body',
      message: issue.code === 'unrecognized_keys' ? unknownKeys(issue.keys, known) : excerpt(issue.message),
    })),
  );
};
