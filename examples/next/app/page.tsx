'use client';
// An image and a caption, detected in the page itself (a Web Worker) or by the route of this server.
import { useEffect, useRef, useState, type FormEvent } from 'react';
import type { DetectionResult, MDETR } from 'mdetr/web';

/** By the route `app/api/mdetr`, which has all paths of `mdetr serve`. */
const detectOnServer = async (image: File, caption: string): Promise<DetectionResult> => {
  const body = new FormData();
  body.set('image', image);
  body.set('caption', caption);
  const response = await fetch('/api/mdetr/v1/detect', { method: 'POST', body });
  const answer = (await response.json()) as DetectionResult & { readonly detail?: string };
  if (!response.ok) throw new Error(answer.detail ?? `status ${response.status}`);
  return answer;
};

export default function Page() {
  const model = useRef<Promise<MDETR>>(undefined);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [text, setText] = useState('');

  // The worker ends with the page.
  useEffect(
    () => () => {
      void model.current?.then((loaded) => loaded.dispose());
      model.current = undefined;
    },
    [],
  );

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const image = form.get('image') as File;
    const caption = String(form.get('caption'));
    try {
      setText('Running …');
      // Imported by the browser only: what Next.js renders on the server has no use for it.
      const { drawDetections, MDETR } = await import('mdetr/web');
      let result: DetectionResult;
      if (form.get('place') === 'server') result = await detectOnServer(image, caption);
      else result = await (await (model.current ??= MDETR.fromPretrained())).detect(image, caption);
      drawDetections(canvas.current!, await createImageBitmap(image), result);
      setText(result.detections.map(({ label }) => label).join(', '));
    } catch (error) {
      setText(String(error));
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)}>
      <input name="image" type="file" accept="image/*" aria-label="Image" required />
      <input name="caption" aria-label="Caption" defaultValue="a green ball and a brown cylinder" />
      <select name="place" aria-label="Where to run">
        <option value="here">here</option>
        <option value="server">on the server</option>
      </select>
      <button>Detect</button>
      <output>{text}</output>
      <canvas ref={canvas} />
    </form>
  );
}
