import { escapeHtml } from '../../files/html-text.ts';
import { PROBLEMS } from '../problems.ts';
import type { openApiDocument } from './openapi.ts';

/** Styles of the page, allowed by their digest in its Content-Security-Policy. */
export const DOCS_STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
code, pre { font: 14px/1.4 ui-monospace, monospace }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8886; border-radius: .25rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top }`;

const EXAMPLES: Readonly<Record<string, string>> = {
  '/v1/detect': `curl -F image=@street.jpg -F 'caption=a man in a red coat' -F 'caption=his dog' ORIGIN/v1/detect`,
  '/v1/refer': `curl -F image=@street.jpg -F 'expression=the dog on the left' -F masks=true ORIGIN/v1/refer`,
  '/v1/ask': `curl -F image=@street.jpg -F 'question=what color is the coat?' ORIGIN/v1/ask`,
  '/v1/models': 'curl ORIGIN/v1/models',
};

interface FieldSchema {
  readonly type?: unknown;
  readonly description?: unknown;
}

/** Fields of a multipart body, as rows of a table. */
const fieldRows = (schema: object): string => {
  const { properties = {}, required = [] } = schema as {
    readonly properties?: Readonly<Record<string, FieldSchema>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties)
    .map(([name, { type, description }]) => {
      const isRequired = required.includes(name) ? ', required' : '';
      return `<tr><td><code>${name}</code></td><td>${String(type)}${isRequired}</td><td>${escapeHtml(typeof description === 'string' ? description : '')}</td></tr>`;
    })
    .join('');
};

/** The documentation page: everything in one file, without scripts. */
export const docsPage = (document: ReturnType<typeof openApiDocument>, origin: string): string => {
  const paths = Object.entries(document.paths ?? {}).map(([path, item]) => {
    const [method, operation] = item.post === undefined ? ['GET', item.get] : ['POST', item.post];
    const body = operation?.requestBody;
    const form = body !== undefined && 'content' in body ? body.content['multipart/form-data']?.schema : undefined;
    const example = EXAMPLES[path];
    return `<h2 id="${path.slice(1).replace('/', '-')}"><code>${method} ${path}</code></h2>
<p>${escapeHtml(operation?.summary ?? '')}. ${escapeHtml(operation?.description ?? '')}</p>
${form === undefined ? '' : `<table><tr><th>field</th><th>type</th><th></th></tr>${fieldRows(form)}</table>`}
${example === undefined ? '' : `<pre>${escapeHtml(example.replaceAll('ORIGIN', origin))}</pre>`}`;
  });
  const problems = Object.entries(PROBLEMS)
    .map(([name, { status, title }]) => `<tr><td>${status}</td><td><code>${name}</code></td><td>${title}</td></tr>`)
    .join('');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>mdetr API</title><style>${DOCS_STYLE}</style></head><body><main>
<h1>mdetr ${escapeHtml(document.info.version)}</h1>
<p>${escapeHtml(document.info.description ?? '')} The same as OpenAPI document: <a href="openapi.json">openapi.json</a>.
Bodies are <code>multipart/form-data</code> with the fields below, or JSON with the same keys, <code>image</code> in base64.</p>
${paths.join('\n')}
<h2 id="problems">Errors</h2>
<p>Errors are <code>application/problem+json</code>; <code>type</code> is <code>urn:mdetr:problem:</code> and a name of this table.</p>
<table><tr><th>status</th><th>name</th><th></th></tr>${problems}</table>
</main></body></html>`;
};
