import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { DeviceReport } from '../support/device-child.ts';
import { CommandLine, projectRoot, scene } from '../support/run-mdetr.ts';
import { smallValues } from '../support/small-run.ts';
import { softwareVulkan, softwareVulkanNote } from '../support/software-vulkan.ts';

const child = fileURLToPath(new URL('../support/device-child.ts', import.meta.url));
const commandLine = new CommandLine();
afterAll(() => commandLine.remove());

/** Without it the driver prints a warning about each session. */
const env = { ...process.env, ...softwareVulkan, XDG_RUNTIME_DIR: commandLine.folder };

const reportOf = (values: Readonly<Record<string, unknown>>): DeviceReport => {
  const config = JSON.stringify({ ...smallValues, schedule: 'step', ...values });
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', child, 'webgpu', config], {
    encoding: 'utf8',
    env,
    cwd: projectRoot,
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as DeviceReport;
};

describe.skipIf(softwareVulkan === undefined)(
  `device webgpu on a Vulkan driver in software${softwareVulkanNote}`,
  { timeout: 550_000 },
  () => {
    it.each([
      [
        'a step with masks, questions, isfinal and dropout',
        ['train-forward', 'loss', 'masks-loss', 'train-backward'],
        {
          hidden_dim: 128,
          nheads: 8,
          mask_model: 'smallconv',
          predict_final: true,
          dropout: 0.1,
          do_qa: true,
          split_qa_heads: true,
          texts_per_image: 2,
          texts: [{ caption: 1, question: 1 }],
        },
      ],
      [
        'a step with selected queries',
        ['train-forward', 'loss', 'train-backward'],
        { query_selection: 'features', box_refinement: true, selection_suppression: 0.6, encoder_auxiliary_loss: 1 },
      ],
    ])('%s: outputs and gradients equal those of the CPU, and three steps lower the loss', (_, names, values) => {
      const { programs, losses, deviceLosses, placements } = reportOf(values);
      expect(Object.keys(programs)).toEqual(names);
      for (const [name, { outputs, gradients }] of Object.entries(programs)) {
        process.stdout.write(`${name}: outputs ${outputs.toExponential(1)}, gradients ${gradients.toExponential(1)}\n`);
        expect(outputs, name).toBeLessThan(1e-3);
        expect(gradients, name).toBeLessThan(1e-2);
      }
      expect(losses).toHaveLength(3);
      expect(losses[2]).toBeLessThan(losses[0]!);
      expect(deviceLosses).toHaveLength(3);
      deviceLosses.forEach((loss, step) => expect(Math.abs(loss / losses[step]! - 1)).toBeLessThan(1e-3));
      expect(placements.map(({ program }) => program)).toEqual(names);
      for (const { nodes } of placements) expect(nodes).toBeGreaterThan(100);
    });

    it('detects the same, names what runs on the CPU, and refuses that with --strict-device', () => {
      const run = (...args: readonly string[]) =>
        spawnSync(process.execPath, [`${projectRoot}dist/cli/main.js`, 'detect', scene, ...args, '--json'], {
          encoding: 'utf8',
          env: { ...commandLine.env, ...env },
        });
      const caption = ['--caption', 'a large green sphere'];
      const [cpu, gpu] = [run(...caption), run(...caption, '--device', 'webgpu', '--verbose')];
      expect(gpu.status, gpu.stderr).toBe(0);
      const [expected, found] = [cpu, gpu].map(
        ({ stdout }) => (JSON.parse(stdout) as { detections: { box: number[]; score: number }[] }).detections,
      );
      expect(found).toHaveLength(expected!.length);
      found!.forEach(({ box, score }, index) => {
        expect(score).toBeCloseTo(expected![index]!.score, 3);
        box.forEach((edge, k) => expect(edge).toBeCloseTo(expected![index]!.box[k]!, 1));
      });
      expect(gpu.stderr).toMatch(/^mdetr: image: .* nodes ran on /m);
      expect(gpu.stderr).toMatch(/^mdetr: text: \d+ of \d+ nodes ran on the CPU instead of device "webgpu": \w+\(/m);
      const strict = run(...caption, '--device', 'webgpu', '--strict-device');
      expect(strict.status).toBe(1);
      expect(strict.stderr).toMatch(/nodes ran on the CPU instead of device "webgpu": .*; leave out --strict-device/);
    });
  },
);
