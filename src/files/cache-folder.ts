import envPaths from 'env-paths';

/** Value of an environment variable; an empty one counts as unset. */
export const environmentSetting = (name: string): string | undefined =>
  process.env[name] === '' ? undefined : process.env[name];

/** Folder of everything that can be made or fetched again: `MDETR_CACHE`, or the system's cache folder. */
export const cacheFolder = (): string => environmentSetting('MDETR_CACHE') ?? envPaths('mdetr', { suffix: '' }).cache;
