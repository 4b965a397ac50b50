/** The Web Worker that runs a model: it loads the one that its first message names, then answers calls. */
import { remoteFacts, serveCore } from '../inference/remote/core-host.ts';
import { sentError } from '../inference/remote/sent-error.ts';
import { openCore } from './open-core.ts';
import { portOf, type LoadMessage, type LoadReply } from './worker-messages.ts';

/** The worker's global scope, which TypeScript's DOM library types as a window. */
const scope = globalThis as unknown as Pick<Worker, 'postMessage' | 'addEventListener' | 'removeEventListener'>;

const reply = (message: LoadReply): void => scope.postMessage(message);

const load = async ({ request }: LoadMessage): Promise<void> => {
  try {
    const { core, choice } = await openCore(request, (event) => reply({ kind: 'progress', event }));
    serveCore(core, portOf(scope));
    reply({ kind: 'loaded', facts: remoteFacts(core), choice });
  } catch (error) {
    reply({ kind: 'not-loaded', error: sentError(error) });
  }
};

const start = ({ data }: MessageEvent<LoadMessage>): void => {
  scope.removeEventListener('message', start as EventListener);
  void load(data);
};
scope.addEventListener('message', start as EventListener);
