import type { Engine, PageImage, Result, RunOptions, Task } from './engine.ts';

/** Name of the text of each task in a request. */
const TEXT_KEYS: Readonly<Record<Task, string>> = { detect: 'caption', refer: 'expression', ask: 'question' };

/** The model of the server that this page comes from (`mdetr serve`). */
export class ServerEngine implements Engine {
  readonly device = 'the server';
  readonly reason = '';
  readonly hasMasks = true;

  /** The server, if this page comes from one. */
  static async find(): Promise<ServerEngine | undefined> {
    try {
      const response = await fetch('v1/models', { headers: { accept: 'application/json' } });
      const isJson = (response.headers.get('content-type') ?? '').includes('json');
      return response.ok && isJson ? new ServerEngine() : undefined;
    } catch {
      return undefined;
    }
  }

  async run(task: Task, { source, bitmap, name }: PageImage, text: string, options: RunOptions): Promise<Result> {
    const body = new FormData();
    body.append('image', source instanceof Blob ? source : await encode(bitmap), name);
    body.append(TEXT_KEYS[task], text);
    if (task !== 'refer') body.append('threshold', String(options.threshold));
    if (options.masks) body.append('masks', 'true');
    const response = await fetch(`v1/${task}`, { method: 'POST', body });
    const answer = (await response.json()) as Result & { readonly title?: string; readonly detail?: string };
    if (!response.ok)
      throw new Error(`the server answered ${response.status}: ${answer.detail ?? answer.title ?? 'no reason given'}`);
    return answer;
  }
}

const encode = async (bitmap: ImageBitmap): Promise<Blob> => {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext('2d')!.drawImage(bitmap, 0, 0);
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 });
};
