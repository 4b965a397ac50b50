import { readFileSync } from 'node:fs';
import { scene } from './run-mdetr.ts';

/** Bytes of the example image. */
export const sceneBytes = (): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(scene));

/** Values of form fields; an array repeats its field. */
export type FormFields = Readonly<Record<string, string | Uint8Array<ArrayBuffer> | readonly string[]>>;

/** A multipart body. Bytes become a file called `scene.png`. */
export const formOf = (fields: FormFields): FormData => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Uint8Array) form.append(name, new Blob([value]), 'scene.png');
    else for (const text of typeof value === 'string' ? [value] : value) form.append(name, text);
  }
  return form;
};

/** A request with a multipart body. */
export const formRequest = (path: string, fields: FormFields, init: RequestInit = {}): Request =>
  new Request(`http://localhost${path}`, { method: 'POST', body: formOf(fields), ...init });

/** A request with a JSON body; a string is sent as it is. */
export const jsonRequest = (path: string, body: unknown, init: RequestInit = {}): Request =>
  new Request(`http://localhost${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body),
    ...init,
  });
