/**
 * Entry of an inference process. It opens the models, runs the requests that its parent sends, and ends with its parent.
 */
import type { InferenceCore } from '../../inference/core.ts';
import { openCore } from '../../inference/node/open-core.ts';
import { maxTokensOf } from '../../model-folder/model-source.ts';
import { failureOf } from '../../threads/thread-failure.ts';
import { BatchRunner } from './batch-runner.ts';
import { TASKS, type FromWorker, type ModelDescription, type ToWorker, type WorkerSettings } from './messages.ts';
import { measureParts } from './warm-up.ts';

const send = (message: FromWorker): void => {
  // Without a parent, results are dropped and `disconnect` ends the process. A channel that breaks meanwhile is no error.
  if (process.connected) process.send!(message, () => undefined);
};

const describe = (name: string, core: InferenceCore): ModelDescription => ({
  name,
  device: core.device,
  tasks: TASKS.filter((task) => task !== 'ask' || core.source.config.do_qa),
  masks: core.hasMasks,
  queries: core.source.config.num_queries,
  maxTokens: maxTokensOf(core.source.config),
  notice: core.source.notice ?? null,
});

const open = async (settings: WorkerSettings): Promise<BatchRunner | undefined> => {
  const { device, threads, cacheDir } = settings;
  const models = new Map<string, InferenceCore>();
  try {
    for (const { name, path = name, ...files } of settings.models)
      models.set(name, await openCore(path, { ...files, device, threads, cacheDir }));
    const times = [];
    for (const core of models.values()) times.push(await measureParts(core));
    const descriptions = [...models].map(([name, core]) => describe(name, core));
    const runner = new BatchRunner(models, settings, send);
    send({ kind: 'opened', models: descriptions, times });
    return runner;
  } catch (error) {
    send({ kind: 'unusable', failure: failureOf(error) });
    return undefined;
  }
};

let runner: Promise<BatchRunner | undefined> | undefined;

process.on('message', (message: ToWorker) => {
  if (message.kind === 'open') runner = open(message.settings);
  else
    void runner?.then(async (ready) => {
      if (message.kind === 'run') await ready?.accept(message.id, message.request, message.limit);
      else if (message.kind === 'image') ready?.provide(message.id, message.image);
      else ready?.cancel(message.id);
    });
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole process group. The parent first lets the accepted requests finish.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
