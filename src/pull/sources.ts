import { MdetrError } from '../errors.ts';

/** The only place that knows where published things are. */
const official = {
  /** Files of the authors' record: `…/files/NAME`. */
  checkpoints: 'https://zenodo.org/records/4721981/files',
  /** What the record says about its files: their sizes and MD5 sums. */
  checkpointsRecord: 'https://zenodo.org/api/records/4721981',
  /** Vocabularies: `…/OWNER/NAME/resolve/main/FILE`. */
  hub: 'https://huggingface.co',
  torchvision: 'https://download.pytorch.org/models',
  timm: 'https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights',
} as const;

/** Where to fetch from. */
export interface Sources {
  readonly checkpoints: string;
  /** Where sizes and sums of the checkpoints stand: the record's JSON, or a mirror's list of sums. */
  readonly sums: { readonly kind: 'record'; readonly url: string } | { readonly kind: 'list'; readonly urls: string[] };
  readonly hub: string;
  readonly torchvision: string;
  readonly timm: string;
  /** For a hub that wants to know who asks. Goes to the hub's own host only. */
  readonly hubToken: string | undefined;
  readonly isOffline: boolean;
}

/** Mirrors and the offline switch, as the environment sets them. Throws `MdetrError` for an address that is none. */
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
    checkpoints: mirror ?? official.checkpoints,
    sums:
      mirror === undefined
        ? { kind: 'record', url: official.checkpointsRecord }
        : { kind: 'list', urls: [`${mirror}/SHA256SUMS`, `${mirror}/MD5SUMS`] },
    hub: addressFrom('HF_ENDPOINT', setting('HF_ENDPOINT')) ?? official.hub,
    torchvision: backbones ?? official.torchvision,
    timm: backbones ?? official.timm,
    hubToken: setting('HF_TOKEN'),
    isOffline: isOn('MDETR_OFFLINE') || isOn('HF_HUB_OFFLINE'),
  };
};

/** An address without a slash at its end. */
const addressFrom = (name: string, text: string | undefined): string | undefined => {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['https:', 'http:'].includes(url.protocol) || url.search !== '' || url.hash !== '')
    throw new MdetrError(`${name} must be an address such as https://mirror.example/mdetr, got "${text}"`);
  return text.replace(/\/+$/, '');
};
