/** Prints the section of CHANGELOG.md for one version: `tsx scripts/release/notes.ts 0.2.0`. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Body of a version's section. @throws {Error} if the changelog has no such section, or an empty one. */
export const notesOf = (changelog: string, version: string): string => {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => text.split('\n')[0]!.replace(/[[\]]/g, '').split(' ')[0] === version);
  const body = section?.slice(section.indexOf('\n')).trim() ?? '';
  if (body === '') throw new Error(`CHANGELOG.md has no notes for version ${version}: add a section "## ${version}"`);
  return body;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const changelog = readFileSync(new URL('../../CHANGELOG.md', import.meta.url), 'utf8');
  process.stdout.write(`${notesOf(changelog, process.argv[2] ?? '')}\n`);
}
