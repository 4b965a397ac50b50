import { packageRequire } from './package-folder.ts';

/** Stack size of native calls. koffi's default is too small: ONNX Runtime optimizes graphs recursively, with matrix tiles on the stack. */
const STACK_BYTES = 8 * 2 ** 20;

interface Configurable {
  config(settings?: Readonly<Record<string, number>>): Readonly<Record<string, number>>;
}
let configured: Configurable | undefined;

/**
 * The package koffi, which calls C libraries. Every use must come from here: its stack is configured before the first library
 * is loaded, and cannot be afterwards.
 *
 * @throws {Error} if the package is not installed for this system
 */
export const koffiPackage = (): unknown => {
  if (configured === undefined) {
    const koffi = packageRequire('koffi') as Configurable;
    koffi.config({ ...koffi.config(), async_stack_size: STACK_BYTES, sync_stack_size: STACK_BYTES });
    configured = koffi;
  }
  return configured;
};
