import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyServer, serve } from '../support/faulty-server.ts';
import { CommandLine, expectRefusal, hasTinyCheckpoint, roberta, scene, tinyCheckpoint } from '../support/run-mdetr.ts';

const mdetr = new CommandLine();
let server: FaultyServer;

beforeAll(async () => {
  server = await FaultyServer.start();
  mdetr.env['MDETR_CHECKPOINTS_URL'] = server.address;
  mdetr.env['HF_ENDPOINT'] = server.address;
  for (const file of ['vocab.json', 'merges.txt'])
    server.on(`/FacebookAI/roberta-base/resolve/main/${file}`, serve(readFileSync(join(roberta, file))));
});

afterAll(async () => {
  await server.stop();
  mdetr.remove();
});

describe('mdetr pull', () => {
  it('lists the published files and those in the cache', async () => {
    const listed = await mdetr.start(['pull', '--list']);
    expect(listed.status).toBe(0);
    expect(listed.stdout).toMatch(/^pretrained_resnet101 +3\.0 GB +pre-trained/m);
    expect(listed.stdout).toMatch(/^roberta-base +1\.4 MB +vocabulary/m);
  });

  it('downloads a vocabulary into the cache and prints its path', async () => {
    const { status, stdout, stderr } = await mdetr.start(['pull', 'roberta-base']);
    expect(status, stderr).toBe(0);
    const folder = mdetr.file('cache/tokenizers/roberta-base');
    expect(stdout).toBe(`${join(folder, 'vocab.json')}\n${join(folder, 'merges.txt')}\n`);
    expect(stderr).toMatch(/^mdetr: downloading vocab\.json, 898\.8 kB$/m);
    expect((await mdetr.start(['pull', '--list'])).stdout).toMatch(/^roberta-base +1\.4 MB +here/m);
  });

  it.skipIf(!hasTinyCheckpoint)('downloads a checkpoint that --model finds by name, also offline', async () => {
    const weights = readFileSync(tinyCheckpoint);
    const sum = createHash('sha256').update(weights).digest('hex');
    server.on('/refcoco%2B_EB3_checkpoint.pth', serve(weights, { etag: '"1"', breakAfter: 100_000, breaks: 1 }));
    server.on('/SHA256SUMS', serve(Buffer.from(`${sum}  refcoco+_EB3_checkpoint.pth\n`)));
    const { status, stdout, stderr } = await mdetr.start(['pull', 'refcoco+_EB3', '--json']);
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ name: 'refcoco+_EB3', bytes: weights.length, sha256: sum });
    expect(stderr).toMatch(/interrupted; trying again/);
    const found = await mdetr.json('detect', scene, '--caption', 'a cube', '--model', 'refcoco+_EB3');
    expect(found).toHaveLength(1);
    expect((await mdetr.start(['pull', 'refcoco+_EB3', '--offline'])).status).toBe(0);
  });

  it('refuses unknown names, wrong contents, and missing files in offline mode', async () => {
    expectRefusal(await mdetr.call('pull', 'pretrained_resnet10'), 2, /did you mean "pretrained_resnet101"/);
    expectRefusal(await mdetr.call('pull'), 2, /name what to download/);
    expectRefusal(
      await mdetr.call('pull', 'clevr', '--offline'),
      1,
      /vocab\.json is missing, and nothing is downloaded in offline mode/,
    );
    server.on('/FacebookAI/roberta-base/resolve/main/vocab.json', serve(Buffer.from('{}')));
    const { status, stderr } = await mdetr.start(['pull', 'roberta-base', '--force']);
    expect(status).toBe(1);
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^mdetr: http.*wrong contents: their SHA256 is not/);
    // The previous file stays.
    expect(existsSync(mdetr.file('cache/tokenizers/roberta-base/vocab.json'))).toBe(true);
  });

  it('is named by commands that miss a published file', async () => {
    const detect = (...more: string[]) => mdetr.call('detect', scene, '--caption', 'a cube', ...more);
    expectRefusal(await detect('--model', 'gqa_EB5'), 1, /not here yet; fetch it with: mdetr pull gqa_EB5/);
    expectRefusal(
      await detect('--tokenizer', 'roberta-large'),
      1,
      /not here yet; fetch it with: mdetr pull roberta-large/,
    );
  });

  it('stops at Ctrl-C, keeps the partial download and resumes it', async () => {
    const bytes = Buffer.alloc(200_000, 'x');
    const git = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
    const path = '/FacebookAI/roberta-large/resolve/main/vocab.json';
    const headers = { 'x-repo-commit': 'abc' };
    const complete = serve(bytes, { etag: `"${git}"`, headers });
    server.on(path, (_request, response) => {
      response.writeHead(200, { 'content-length': String(bytes.length), etag: `"${git}"`, ...headers });
      response.write(bytes.subarray(0, 50_000));
    });
    server.on(path.replace('vocab.json', 'merges.txt'), serve(Buffer.from('#'), { etag: '"m"' }));
    const part = mdetr.file('cache/tokenizers/roberta-large/vocab.json.part');
    const stopped = await mdetr.start(['pull', 'roberta-large'], (child) => {
      const timer = setInterval(() => {
        if (!existsSync(part) || readFileSync(part).length < 50_000) return;
        clearInterval(timer);
        child.kill('SIGINT');
      }, 20);
    });
    expect(stopped.signal).toBe('SIGINT');
    expect(stopped.stderr).toMatch(/stopped; the downloaded part is kept, and the same command resumes it/);
    server.on(path, complete);
    const { status, stderr } = await mdetr.start(['pull', 'roberta-large']);
    expect(status, stderr).toBe(0);
    expect(server.requests.filter((asked) => asked.path === path).at(-1)!.range).toBe('bytes=50000-');
  });
});
