/** This package's side of `bench:training`, a separate process that prints one line of JSON. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { NativeRuntime } from '../../src/engine/runtime/native/native-runtime.ts';
import { NodeRuntime } from '../../src/engine/runtime/node/node-runtime.ts';
import { startWorker } from '../../src/threads/worker-thread.ts';
import { makeSharedGroup, ThreadCommunicator } from '../../src/train/parallel/thread-communicator.ts';
import type { StepReport } from '../../src/train/step/trainer-state.ts';
import { makeCase, type Size } from './cases.ts';
import { summarizeProfile } from './profile.ts';
import type { ReplicaWork } from './replica-thread.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: 'r101' },
    threads: { type: 'string', default: '2' },
    repeat: { type: 'string', default: '5' },
    runtime: { type: 'string', default: 'native' },
    whole: { type: 'boolean', default: false },
    replicas: { type: 'string', default: '1' },
    parts: { type: 'string', default: 'auto' },
    profile: { type: 'boolean', default: false },
  },
});
const [repeat, replicas] = [Number(values.repeat), Number(values.replicas)];
/** Threads of each replica. */
const threads = Number(values.threads) / replicas;
const WARM_UP_STEPS = 2;
/** Values that replicas sum in a round, as in trainings (`runReplicas`). */
const VALUES_PER_ROUND = 2 ** 20;

/** Peak resident memory of this process, from the kernel; MB. */
const peakMb = (): number =>
  Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024);
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const folder = mkdtempSync(join(tmpdir(), 'mdetr-bench-'));
try {
  const runtime =
    values.runtime === 'node'
      ? new NodeRuntime({ threads })
      : new NativeRuntime({ threads, profilePrefix: values.profile ? join(folder, 'p') : undefined });
  const size = values.size as Size;
  const group = replicas === 1 ? undefined : makeSharedGroup(replicas, VALUES_PER_ROUND);
  for (let rank = 1; group !== undefined && rank < replicas; rank++) {
    const steps = WARM_UP_STEPS + repeat;
    const workerData: ReplicaWork = { size, isWhole: values.whole, threads, steps, rank, group };
    startWorker(import.meta.url, './replica-thread', { workerData });
  }
  const { trainer, batches, pairs, pytorch } = await makeCase(size, runtime, {
    threads,
    isWhole: values.whole,
    parts: values.parts === 'auto' ? undefined : Number(values.parts),
    communicator: group && new ThreadCommunicator(0, group),
    replicas,
  });
  if (values.parts === 'auto') await trainer.chooseParts(batches[0]!);
  const steps: { readonly wallMs: number; readonly cpuMs: number; readonly report: StepReport }[] = [];
  for (let step = 0; step < WARM_UP_STEPS + repeat; step++) {
    const [startedMs, startedCpuMs] = [performance.now(), cpuMs()];
    const report = await trainer.step(batches[step % batches.length]!);
    const timed = { wallMs: performance.now() - startedMs, cpuMs: cpuMs() - startedCpuMs, report };
    if (step >= WARM_UP_STEPS) steps.push(timed);
  }
  const peak = peakMb();
  await trainer.dispose();
  const profile = values.profile
    ? summarizeProfile(
        readdirSync(folder).map(
          (name) => [/^p-(.*?)_\d/.exec(name)![1]!, readFileSync(join(folder, name), 'utf8')] as const,
        ),
        WARM_UP_STEPS,
      )
    : undefined;
  const timings = steps.map(({ report: { timing } }) => timing);
  process.stdout.write(
    `${JSON.stringify({
      wallMs: steps.map((step) => step.wallMs),
      cpuMs: steps.map((step) => step.cpuMs),
      phases: Object.fromEntries(
        Object.keys(timings[0]!).map((name) => [name, timings.map((timing) => timing[name as keyof typeof timing])]),
      ),
      loss: steps.at(-1)!.report.total,
      peakMb: peak,
      pairs: pairs * replicas,
      parts: trainer.parts,
      pytorch,
      profile,
    })}\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
