import { lookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isPublicAddress } from './addresses.ts';

/** Error that `publicLookup` gives for a name without public addresses. */
export class NotPublicError extends Error {
  constructor(host: string, addresses: readonly string[]) {
    super(`${host} has no public address (${addresses.join(', ').slice(0, 100)})`);
  }
}

/**
 * Name resolution that gives public addresses only. As the `lookup` of a connection, what it gives is what the connection
 * is made to: there is no second resolution that could answer differently.
 */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) {
      callback(error, '', 0);
      return;
    }
    const allowed = addresses.filter(({ address }) => isPublicAddress(address));
    const [first] = allowed;
    if (first === undefined) {
      const refused = new NotPublicError(
        hostname,
        addresses.map(({ address }) => address),
      );
      callback(refused, '', 0);
    } else if (options.all === true) callback(null, allowed);
    else callback(null, first.address, first.family);
  });
};
