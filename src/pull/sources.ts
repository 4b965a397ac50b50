import { MdetrError } from '../errors.ts';

/** Official locations of published files. */
const OFFICIAL = {
  /** Files of the authors' Zenodo record: `…/files/NAME`. */
  checkpoints: 'https://zenodo.org/records/4721981/files',
  /** Metadata of the record, with sizes and MD5 checksums of its files. */
  checkpointsRecord: 'https://zenodo.org/api/records/4721981',
  /** Hugging Face hub: `…/OWNER/NAME/resolve/main/FILE`. */
  hub: 'https://huggingface.co',
  torchvision: 'https://download.pytorch.org/models',
  timm: 'https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights',
} as const;

/** Locations to download from. */
export interface Sources {
  readonly checkpoints: string;
  /** Sizes and checksums of the checkpoints: JSON of the record, or checksum lists of a mirror. */
  readonly sums: { readonly kind: 'record'; readonly url: string } | { readonly kind: 'list'; readonly urls: string[] };
  readonly hub: string;
  readonly torchvision: string;
  readonly timm: string;
  /** Access token, sent to the hub's host only. */
  readonly hubToken: string | undefined;
  readonly isOffline: boolean;
}

/** Reads mirrors and the offline switch from environment variables. @throws {MdetrError} for an invalid URL */
export const sourcesFrom = (environment: Readonly<Record<string, string | undefined>>): Sources => {
  const setting = (name: string): string | undefined => {
    const value = environment[name]?.trim();
    return value === undefined || value === '' ? undefined : value;
  };
  const isOn = (name: string): boolean =>
    !['', '0', 'false', 'no', 'off'].includes((setting(name) ?? '').toLowerCase());
  const backbones = addressFrom('MDETR_BACKBONES_URL', setting('MDETR_BACKBONES_URL'));
  const mirror = addressFrom('MDETR_CHECKPOINTS_URL', setting('MDETR_CHECKPOINTS_URL'));
  return {
    checkpoints: mirror ?? OFFICIAL.checkpoints,
    sums:
      mirror === undefined
        ? { kind: 'record', url: OFFICIAL.checkpointsRecord }
        : { kind: 'list', urls: [`${mirror}/SHA256SUMS`, `${mirror}/MD5SUMS`] },
    hub: addressFrom('HF_ENDPOINT', setting('HF_ENDPOINT')) ?? OFFICIAL.hub,
    torchvision: backbones ?? OFFICIAL.torchvision,
    timm: backbones ?? OFFICIAL.timm,
    hubToken: setting('HF_TOKEN'),
    isOffline: isOn('MDETR_OFFLINE') || isOn('HF_HUB_OFFLINE'),
  };
};

/** Checks a URL and removes trailing slashes. */
const addressFrom = (name: string, text: string | undefined): string | undefined => {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['https:', 'http:'].includes(url.protocol) || url.search !== '' || url.hash !== '')
    throw new MdetrError(`${name} must be a URL such as https://mirror.example/mdetr, got "${text}"`);
  return text.replace(/\/+$/, '');
};
