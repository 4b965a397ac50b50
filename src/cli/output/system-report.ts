import { existsSync, readFileSync } from 'node:fs';
import { cpus, freemem, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { findNativeLibrary } from '../../engine/runtime/native/library-file.ts';
import { messageOf } from '../../errors.ts';
import { cacheFolder } from '../../files/cache-folder.ts';
import { packageRequire, packageVersion } from '../../files/package-folder.ts';
import { formatBytes } from './table.ts';

/** Everything a bug report needs to know about a machine, by name. */
export type SystemReport = Readonly<Record<string, string>>;

/** Version of an installed dependency. Its package.json is read directly, since `exports` may hide it from `require`. */
const versionOf = (name: string): string => {
  try {
    for (let folder = dirname(packageRequire.resolve(name)); ; folder = dirname(folder)) {
      const path = join(folder, 'package.json');
      if (!existsSync(path)) {
        if (folder === dirname(folder)) return 'not installed';
        continue;
      }
      const contents = JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string };
      if (contents.name === name && contents.version !== undefined) return contents.version;
    }
  } catch {
    return 'not installed';
  }
};

/** The implementation of the runtime that a command would use, or why there is none. */
const runtimeInUse = async (): Promise<string> => {
  try {
    const runtime = await createRuntime();
    const names: Readonly<Record<string, string>> = {
      NativeRuntime: "native (ONNX Runtime's C interface)",
      NodeRuntime: 'node (binding of onnxruntime-node)',
      WebRuntime: 'wasm (ONNX Runtime Web)',
    };
    return names[runtime.constructor.name] ?? runtime.constructor.name;
  } catch (error) {
    return `none: ${messageOf(error)}`;
  }
};

const libcOf = (): string => {
  if (process.platform !== 'linux') return 'system';
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime === undefined ? 'musl' : `glibc ${header.glibcVersionRuntime}`;
};

/** Collects versions, hardware, the runtime in use and settings. File contents and user names are not part of it. */
export const systemReport = async (): Promise<SystemReport> => {
  const processors = cpus();
  const settings = Object.entries(process.env).filter(([name]) => /^(MDETR|HF|ONNXRUNTIME)_/.test(name));
  return {
    mdetr: packageVersion(),
    node: process.version,
    system: `${process.platform}-${process.arch} ${release()}, ${libcOf()}`,
    processor: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}`,
    memory: `${formatBytes(totalmem())}, ${formatBytes(freemem())} free`,
    runtime: await runtimeInUse(),
    'native library': findNativeLibrary() ?? 'none',
    'onnxruntime-node': versionOf('onnxruntime-node'),
    'onnxruntime-common': versionOf('onnxruntime-common'),
    koffi: versionOf('koffi'),
    sharp: versionOf('sharp'),
    cache: cacheFolder(),
    // Values may hold tokens: names alone.
    environment: settings.length === 0 ? 'no settings' : settings.map(([name]) => name).join(', '),
  };
};
