import { MdetrError } from '../errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a URL is on this machine. Such URLs need neither a proxy nor encryption. */
export const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);

/**
 * Proxy for a URL according to the environment, read as by curl: `https_proxy` or `http_proxy`, then `all_proxy`, with
 * lower-case names first. `no_proxy` lists hosts and domain suffixes without a proxy.
 * @throws {MdetrError} if the proxy is not a valid URL
 */
export const proxyFor = (url: URL, environment: Environment): string | undefined => {
  const setting = (name: string): string | undefined => {
    const value = (environment[name] ?? environment[name.toUpperCase()])?.trim();
    return value === '' ? undefined : value;
  };
  if (isLoopback(url) || isExempt(url, setting('no_proxy') ?? '')) return undefined;
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const proxy = setting(name) ?? setting('all_proxy');
  if (proxy === undefined) return undefined;
  const address = proxy.includes('://') ? proxy : `http://${proxy}`;
  if (!URL.canParse(address) || !/^https?:/.test(address))
    throw new MdetrError(`${name} must be an http or https URL, got "${proxy}"`);
  return address;
};

const isExempt = ({ hostname, port, protocol }: URL, list: string): boolean =>
  list.split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true;
    const [, name = '', ownPort] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    if (name === '') return false;
    const actual = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
    return (ownPort === undefined || ownPort === actual) && (hostname === name || hostname.endsWith(`.${name}`));
  });
