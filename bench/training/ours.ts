/** This package's side of `bench:training`, a separate process that prints one line of JSON. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { NativeRuntime } from '../../src/engine/runtime/native/native-runtime.ts';
import { NodeRuntime } from '../../src/engine/runtime/node/node-runtime.ts';
import type { StepReport } from '../../src/train/step/trainer-state.ts';
import { makeCase, type Size } from './cases.ts';
import { summarizeProfile } from './profile.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: 'r101' },
    threads: { type: 'string', default: '2' },
    repeat: { type: 'string', default: '5' },
    runtime: { type: 'string', default: 'native' },
    whole: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
const [threads, repeat] = [Number(values.threads), Number(values.repeat)];
const WARM_UP_STEPS = 2;

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
  const { trainer, batches, pairs, pytorch } = await makeCase(values.size as Size, runtime, {
    threads,
    isWhole: values.whole,
  });
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
      pairs,
      pytorch,
      profile,
    })}\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
