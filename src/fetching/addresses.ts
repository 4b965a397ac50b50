import { BlockList, isIP } from 'node:net';

/**
 * Addresses of other machines on the public internet. Everything else (this machine, private networks, link-local and
 * cloud-metadata addresses, multicast, reserved ranges) is out of reach for a URL of anyone else.
 */

/** IPv4 ranges that are not public (IANA's special-purpose registry, multicast and the reserved rest). */
const NOT_PUBLIC_V4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** IPv6 ranges inside the global unicast block that are not public: tunnels carry IPv4 addresses of anyone's choice. */
const NOT_PUBLIC_V6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const blocked = new BlockList();
for (const [network, prefix] of NOT_PUBLIC_V4) blocked.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of NOT_PUBLIC_V6) blocked.addSubnet(network, prefix, 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

/** Whether an IP address is public. IPv6 addresses that stand for an IPv4 address are judged by that. */
export const isPublicAddress = (address: string): boolean => {
  const version = isIP(address);
  if (version === 4) return !blocked.check(address, 'ipv4');
  if (version !== 6) return false;
  const inner = innerIpv4(address);
  if (inner !== undefined) return isPublicAddress(inner);
  return globalUnicast.check(address, 'ipv6') && !blocked.check(address, 'ipv6');
};

/** IPv4 address inside a mapped (`::ffff:0:0/96`) or translated (`64:ff9b::/96`) IPv6 address. */
const innerIpv4 = (address: string): string | undefined => {
  // The URL parser gives the canonical form, the last two groups in hexadecimal.
  const [, canonical = ''] = /^\[(.*)\]$/.exec(new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname) ?? [];
  const [, high, low] = /^(?:::ffff:|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return undefined;
  const [a, b] = [parseInt(high, 16), parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
};

/** IP address that the host of a URL is itself, without a name to be resolved. */
export const literalAddress = ({ hostname }: URL): string | undefined => {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(bare) === 0 ? undefined : bare;
};
