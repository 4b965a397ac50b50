import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { serve, type Answer, type FaultyServer } from './faulty-server.ts';

/** A file of a repository; large ones are addressed by SHA-256, as the hub does. */
export interface HubFixtureFile {
  readonly body: Buffer;
  readonly isLarge?: boolean;
}

const gitDigest = (body: Buffer): string =>
  createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex');
const sha256 = (body: Buffer): string => createHash('sha256').update(body).digest('hex');

/** Answers like the Hugging Face hub: revisions, lists of files, and the files. */
export class HubFixture {
  constructor(private readonly server: FaultyServer) {}

  /** Publishes files under a branch or tag and returns the commit. With a token, requests need it. */
  publish(name: string, revision: string, files: Readonly<Record<string, HubFixtureFile>>, token?: string): string {
    const commit = createHash('sha1')
      .update(JSON.stringify([name, revision, files]))
      .digest('hex');
    const guarded =
      (answer: Answer): Answer =>
      (request, response, count) => {
        if (token === undefined || request.headers.authorization === `Bearer ${token}`)
          answer(request, response, count);
        else response.writeHead(401).end();
      };
    const json = (value: unknown): Answer => guarded(serve(Buffer.from(JSON.stringify(value))));
    const api = `/api/models/${name}`;
    this.server.on(`${api}/revision/${encodeURIComponent(revision)}`, json({ id: name, sha: commit }));
    const tree = Object.entries(files).map(([path, { body, isLarge }]) => ({
      type: 'file',
      path,
      size: body.length,
      oid: gitDigest(body),
      lfs: isLarge === true ? { oid: sha256(body), size: body.length, pointerSize: 130 } : undefined,
    }));
    this.server.on(
      `${api}/tree/${commit}?recursive=true`,
      json([{ type: 'directory', path: 'onnx', oid: '' }, ...tree]),
    );
    for (const [path, { body }] of Object.entries(files))
      this.server.on(`/${name}/resolve/${commit}/${path}`, guarded(serve(body)));
    return commit;
  }

  /** Publishes the files of a folder. */
  publishFolder(name: string, folder: string, revision = 'main'): string {
    const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((path) => join(folder, path))
      .filter((path) => statSync(path).isFile());
    const files = paths.map((path): [string, HubFixtureFile] => [
      relative(folder, path).replaceAll('\\', '/'),
      { body: readFileSync(path), isLarge: /\.(onnx|onnx_data|safetensors)$/.test(path) },
    ]);
    return this.publish(name, revision, Object.fromEntries(files));
  }
}
