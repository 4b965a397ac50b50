import { escapeHtml } from '../files/html-text.ts';
import type { WorstCase } from './benchmark-report.ts';

/** Makes a self-contained HTML page of worst cases: images with boxes, captions and notes. */
export const worstCasesPage = async (title: string, cases: readonly WorstCase[]): Promise<string> => {
  const figures: string[] = [];
  for (const { image, text, note } of cases) {
    const data = Buffer.from(await image()).toString('base64');
    figures.push(
      `<figure><img alt="${escapeHtml(text)}" src="data:image/png;base64,${data}"><figcaption>${escapeHtml(text)}<br><small>${escapeHtml(note)}</small></figcaption></figure>`,
    );
  }
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<style>body{font-family:sans-serif;margin:2rem;display:flex;flex-wrap:wrap;gap:1rem}h1{width:100%}figure{margin:0;width:24rem}img{width:100%}small{color:#666}</style>
<h1>${escapeHtml(title)}</h1>
${figures.length === 0 ? '<p>No wrong predictions.</p>' : figures.join('\n')}
</html>
`;
};
