import type { OrtBuild } from '../engine/runtime/web/load-ort.ts';
import { MdetrError } from '../errors.ts';

/** Small files of the embedded model by name, put in place by the build. */
declare const DEFAULT_MODEL_FILES: Readonly<Record<string, string>>;

/** Files of this package that a page loads. */
export interface Assets {
  /** Undefined if it is beside the module that starts it. */
  readonly worker: string | undefined;
  readonly defaultWeights: string;
  readonly ort: { readonly wasm: OrtBuild; readonly webgpu: OrtBuild };
}

/** A model's files: a folder that is read by URL, or files of which some are in memory. */
export interface ModelLocation {
  readonly name: string;
  /** URL of the folder, with a slash at its end. */
  readonly url: string;
  /** Contents of files that need no request; the folder has no others but the weights. */
  readonly files?: Readonly<Record<string, string>> | undefined;
  /** URLs of weight files that are not in the folder. */
  readonly weights?: Readonly<Record<string, string>> | undefined;
}

/**
 * URLs of the package's files. Bundlers copy each file that is named by `new URL(…, import.meta.url)`, so the names are
 * written out.
 *
 * @param base URL of the package, if the page says where it is served
 */
export const findAssets = (base: string | undefined): Assets => {
  if (base === undefined)
    return {
      worker: undefined,
      defaultWeights: absolute(new URL('../../models/default/model.safetensors', import.meta.url)),
      ort: {
        wasm: {
          module: absolute(new URL('../ort/ort.wasm.bundle.min.mjs', import.meta.url)),
          wasm: absolute(new URL('../ort/ort-wasm-simd-threaded.wasm', import.meta.url)),
        },
        webgpu: {
          module: absolute(new URL('../ort/ort.jspi.bundle.min.mjs', import.meta.url)),
          wasm: absolute(new URL('../ort/ort-wasm-simd-threaded.jspi.wasm', import.meta.url)),
        },
      },
    };
  const root = folderUrl(base);
  const at = (path: string): string => new URL(path, root).href;
  return {
    worker: at('dist/web/worker.js'),
    defaultWeights: at('models/default/model.safetensors'),
    ort: {
      wasm: { module: at('dist/ort/ort.wasm.bundle.min.mjs'), wasm: at('dist/ort/ort-wasm-simd-threaded.wasm') },
      webgpu: {
        module: at('dist/ort/ort.jspi.bundle.min.mjs'),
        wasm: at('dist/ort/ort-wasm-simd-threaded.jspi.wasm'),
      },
    },
  };
};

/**
 * Location of a model by its name: `default` for the embedded one, else the URL of a folder, relative to the page.
 *
 * @throws {MdetrError} if the name is neither
 */
export const locateModel = (name: string, assets: Assets): ModelLocation =>
  name === 'default'
    ? {
        name,
        url: new URL('.', assets.defaultWeights).href,
        files: DEFAULT_MODEL_FILES,
        weights: { 'model.safetensors': assets.defaultWeights },
      }
    : { name, url: folderUrl(name) };

/** Turbopack puts an object with a path in place of a URL that it has resolved; the worker needs the whole address. */
const absolute = ({ href }: URL): string => new URL(href, pageUrl()).href;

const folderUrl = (name: string): string => {
  if (!URL.canParse(name, pageUrl())) throw new MdetrError(`${name}: is not the URL of a folder`);
  const url = new URL(name, pageUrl());
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
};

const pageUrl = (): string => (typeof document === 'undefined' ? globalThis.location.href : document.baseURI);
