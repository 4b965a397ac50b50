import { MdetrError } from '../errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** This machine itself: asked without proxies, and by redirects also without encryption. */
export const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);

/**
 * The proxy that the environment names for an address, as curl reads it: `https_proxy` or `http_proxy`, else
 * `all_proxy`, in small letters first; `no_proxy` lists hosts, and ends of hosts, that are asked without one.
 *
 * @throws {MdetrError} for a proxy that is no address
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
    throw new MdetrError(`${name} must be an http or https address, got "${proxy}"`);
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
