import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../../../files/cache-folder.ts';
import { packageRequire } from '../../../files/package-folder.ts';

/** Version of `onnxruntime-node` that {@link NATIVE_LIBRARIES} describes. */
export const ORT_VERSION = '1.30.0';

/** ONNX Runtime's library for one system, as `onnxruntime-node` ships it. */
export interface NativeLibrary {
  /** File name, also in the cache. */
  readonly file: string;
  readonly sha256: string;
}

/** Libraries by `platform-arch`. Other systems (Intel Macs) have no native build. */
const NATIVE_LIBRARIES: Readonly<Record<string, NativeLibrary>> = {
  'linux-x64': {
    file: 'libonnxruntime.so.1',
    sha256: 'ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23',
  },
  'linux-arm64': {
    file: 'libonnxruntime.so.1',
    sha256: '1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76',
  },
  'darwin-arm64': {
    file: 'libonnxruntime.1.30.0.dylib',
    sha256: '685d2be5dba1309c89d3a5324b7fd06a5c42f1a61bfea32d14c4cc28d072121d',
  },
  'win32-x64': {
    file: 'onnxruntime.dll',
    sha256: '508c362f5673483dd3a086379c392795b2e42d10d5e6f3f90ebd7ac21c97af67',
  },
  'win32-arm64': {
    file: 'onnxruntime.dll',
    sha256: '6c3a2abf5c6aca11c48a0d338a91af309f2266f25ce2e4084e6a87bbcb0fbfd0',
  },
};

/** Key of {@link NATIVE_LIBRARIES} for this system. */
const SYSTEM = `${process.platform}-${process.arch}`;

/** Whether this is a Linux system with musl instead of glibc, for which the native builds are not made. */
const isMusl = (): boolean => {
  if (process.platform !== 'linux') return false;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
};

/** The library for this system; undefined if ONNX Runtime has no native build for it. */
export const nativeLibraryForSystem = (): NativeLibrary | undefined =>
  isMusl() ? undefined : NATIVE_LIBRARIES[SYSTEM];

/** Folder in the cache that holds the library after `fetchNativeLibrary`. */
export const nativeLibraryFolder = (): string => join(cacheFolder(), 'onnxruntime', `${ORT_VERSION}-${SYSTEM}`);

/** File names of the library, by platform. */
const LIBRARY_PATTERNS = { win32: /^onnxruntime\.dll$/, darwin: /^libonnxruntime\..*dylib$/ } as const;

/**
 * Path at which the operating system finds a file. Electron reads files inside its archive (`app.asar`) for Node, but the
 * system loads libraries only from the folder beside it, which holds what the packager left out of the archive.
 */
export const unpackedPath = (path: string): string => path.replace(/\.asar(?=[\\/])/, '.asar.unpacked');

/** Returns the path. @throws {Error} if it is one of {@link unpackedPath} that does not exist */
export const requireUnpacked = (path: string): string => {
  if (path.includes('.asar.unpacked') && !existsSync(path))
    throw new Error(
      `${path} does not exist: libraries cannot be loaded from inside an Electron archive; ` +
        'add "**/node_modules/onnxruntime-node/**" to asarUnpack',
    );
  return path;
};

/** The library inside an installed `onnxruntime-node` of any version. */
const installedLibrary = (): string | undefined => {
  const name =
    process.platform === 'win32' || process.platform === 'darwin'
      ? LIBRARY_PATTERNS[process.platform]
      : /^libonnxruntime\.so/;
  try {
    const bin = join(dirname(packageRequire.resolve('onnxruntime-node/package.json')), 'bin');
    for (const version of readdirSync(bin)) {
      const folder = join(bin, version, process.platform, process.arch);
      const file = existsSync(folder) ? readdirSync(folder).find((entry) => name.test(entry)) : undefined;
      if (file !== undefined) return unpackedPath(join(folder, file));
    }
  } catch {
    // Not installed: npm drops an optional dependency whose install script fails.
  }
  return undefined;
};

/** Path of ONNX Runtime's library: of an installed `onnxruntime-node`, or in the cache. Undefined if there is none. */
export const findNativeLibrary = (): string | undefined => {
  const installed = installedLibrary();
  if (installed !== undefined) return installed;
  const library = NATIVE_LIBRARIES[SYSTEM];
  const cached = library === undefined ? undefined : join(nativeLibraryFolder(), library.file);
  return cached !== undefined && existsSync(cached) ? cached : undefined;
};

/** Like {@link findNativeLibrary}. @throws {Error} if there is none */
export const requireNativeLibrary = (): string => {
  const found = findNativeLibrary();
  if (found === undefined) throw new Error(`onnxruntime-node is not installed, or has no library for ${SYSTEM}`);
  return requireUnpacked(found);
};
