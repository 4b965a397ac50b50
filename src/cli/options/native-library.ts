import { join } from 'node:path';
import {
  findNativeLibrary,
  nativeLibraryFolder,
  nativeLibraryForSystem,
  ORT_VERSION,
} from '../../engine/runtime/native/library-file.ts';
import { messageOf } from '../../errors.ts';
import { environmentSetting } from '../../files/cache-folder.ts';
import { note } from '../output/print.ts';

/**
 * Makes sure that the native build of ONNX Runtime is there before a command needs it. npm drops `onnxruntime-node` when
 * its install script cannot download CUDA libraries; then its CPU library is fetched from the registry into the cache.
 * Where that is impossible, a note says that the WebAssembly build runs instead, and how to change it.
 */
export const ensureNativeLibrary = async (device: string): Promise<void> => {
  if (device !== 'cpu' || environmentSetting('MDETR_RUNTIME') !== undefined || findNativeLibrary() !== undefined)
    return;
  const library = nativeLibraryForSystem();
  if (library === undefined) {
    note(
      `ONNX Runtime has no native build for ${process.platform}-${process.arch}: using its WebAssembly build, which is slower`,
    );
    return;
  }
  const remedy = `npm install onnxruntime-node@${ORT_VERSION} --ignore-scripts`;
  if (environmentSetting('MDETR_OFFLINE') !== undefined) {
    note(`ONNX Runtime's native library is missing and MDETR_OFFLINE is set: using WebAssembly; to have it: ${remedy}`);
    return;
  }
  const folder = nativeLibraryFolder();
  note(`ONNX Runtime's native library is missing: fetching it from the npm registry into ${folder} (once, 110 MB)`);
  try {
    const { fetchPackageFile } = await import('../../pull/package-file.ts');
    await fetchPackageFile(
      {
        package: 'onnxruntime-node',
        version: ORT_VERSION,
        file: library.file,
        folders: [process.platform, process.arch],
        sha256: library.sha256,
      },
      join(folder, library.file),
    );
  } catch (error) {
    note(`${messageOf(error)}: using the WebAssembly build, which is slower; to have the native one: ${remedy}`);
  }
};
