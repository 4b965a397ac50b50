import { describe } from 'vitest';
import { runtimeContract } from '../../../../../test/support/runtime-contract.ts';
import { createWasmRuntime } from './wasm-runtime.ts';

describe('the WebAssembly runtime', () => {
  runtimeContract(createWasmRuntime);
});
