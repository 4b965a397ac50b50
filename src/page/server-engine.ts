import type { Engine, ImageKind, PageImage, Result, RunOptions, Task } from './engine.ts';

/** Name of the text of each task in a request. */
const TEXT_KEYS: Readonly<Record<Task, string>> = { detect: 'caption', refer: 'expression', ask: 'question' };

/** Name under which a server offers the model for photographs: `mdetr serve --model default --model photos`. */
const PHOTOS = 'photos';

/** The model of the server that this page comes from (`mdetr serve`). */
export class ServerEngine implements Engine {
  readonly device = 'the server';
  readonly reason = '';

  /** @param models names of the server's models */
  private constructor(private readonly models: readonly string[]) {}

  hasMasks(kind: ImageKind): boolean {
    return this.modelFor('detect', kind) !== PHOTOS;
  }

  /** The server, if this page comes from one. */
  static async find(): Promise<ServerEngine | undefined> {
    try {
      const response = await fetch('v1/models', { headers: { accept: 'application/json' } });
      const isJson = (response.headers.get('content-type') ?? '').includes('json');
      if (!response.ok || !isJson) return undefined;
      const { models } = (await response.json()) as { readonly models: readonly { readonly name: string }[] };
      return new ServerEngine(models.map(({ name }) => name));
    } catch {
      return undefined;
    }
  }

  /** The server's model for photographs, if it has one and the image is one; else the server decides. */
  private modelFor(task: Task, kind: ImageKind): string | undefined {
    const isPhoto = kind === 'photograph' && task !== 'ask';
    return isPhoto && this.models.includes(PHOTOS) ? PHOTOS : undefined;
  }

  async run(task: Task, { source, bitmap, name, kind }: PageImage, text: string, options: RunOptions): Promise<Result> {
    const body = new FormData();
    body.append('image', source instanceof Blob ? source : await encode(bitmap), name);
    body.append(TEXT_KEYS[task], text);
    if (task !== 'refer') body.append('threshold', String(options.threshold));
    if (options.masks && this.hasMasks(kind)) body.append('masks', 'true');
    const model = this.modelFor(task, kind);
    if (model !== undefined) body.append('model', model);
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
