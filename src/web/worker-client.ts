import { MdetrError } from '../errors.ts';
import { RemoteCore } from '../inference/remote/remote-core.ts';
import { receivedError } from '../inference/remote/sent-error.ts';
import type { DeviceChoice } from './device.ts';
import type { ProgressEvent } from './load-options.ts';
import type { LoadRequest } from './open-core.ts';
import { sendImage } from './send-image.ts';
import { portOf, type LoadReply } from './worker-messages.ts';

/** Loads a model in a new worker, which ends when the model is disposed. Throws what loading throws. */
export const openInWorker = async (
  request: LoadRequest,
  notify: (event: ProgressEvent) => void,
): Promise<{ readonly core: RemoteCore; readonly choice: DeviceChoice }> => {
  const worker = startWorker(request.assets.worker);
  let core: RemoteCore | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const fail = (problem: string): void => {
        const error = new MdetrError(problem);
        core?.fail(error);
        reject(error);
      };
      worker.onerror = ({ message }) => {
        fail(
          message
            ? `the worker failed: ${message}`
            : 'the worker of mdetr cannot be started: its file was not found or is blocked (see `assets`, and `worker-src` of a Content-Security-Policy)',
        );
      };
      worker.onmessageerror = () => fail('the worker sent a message that cannot be read');
      worker.onmessage = ({ data }: MessageEvent<LoadReply>) => {
        if (data.kind === 'progress') notify(data.event);
        else if (data.kind === 'not-loaded') reject(receivedError(data.error));
        else {
          worker.onmessage = null;
          core = new RemoteCore(portOf(worker), data.facts, sendImage, () => worker.terminate());
          resolve({ core, choice: data.choice });
        }
      };
      worker.postMessage({ kind: 'load', request });
    });
  } catch (error) {
    worker.terminate();
    throw error;
  }
};

/** Starts the worker that is beside this module, or the one at a URL. */
const startWorker = (url: string | undefined): Worker => {
  const here = import.meta.url;
  const isForeign = /^https?:/.test(here) && new URL(here).origin !== location.origin;
  if (url === undefined && !isForeign)
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'mdetr' });
  const file = url ?? here.replace(/[^/]*$/, 'worker.js');
  if (new URL(file).origin === location.origin) return new Worker(file, { type: 'module', name: 'mdetr' });
  // Browsers start no worker from another origin, but a worker of this one may import from there.
  const blob = URL.createObjectURL(new Blob([`import ${JSON.stringify(file)};`], { type: 'text/javascript' }));
  return new Worker(blob, { type: 'module', name: 'mdetr' });
};
