/** Attributes of an object that a JSON file states as strings, numbers or booleans; values of other types are left out. */
export const statedAttributes = (attributes: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(attributes).flatMap(([key, value]: [string, unknown]) =>
      ['string', 'number', 'boolean'].includes(typeof value) ? [[key, String(value)]] : [],
    ),
  );
