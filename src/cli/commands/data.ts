import { Command } from 'commander';
import { checkCommand } from './data/check.ts';
import { combineCommand } from './data/combine.ts';
import { importCommand } from './data/import.ts';
import { indexCommand } from './data/index-files.ts';
import { prepareCommand } from './data/prepare.ts';
import { showCommand } from './data/show.ts';

const EXAMPLES = `
Examples
  mdetr data import export.json --images photos --out dataset
  mdetr data prepare flickr30k --from flickr30k_entities --out annotations
  mdetr data check train.json val.json --images photos
  mdetr data show train.json --images photos --out gallery.html
  mdetr data combine coco=refexp.json vg=regions.json --out mixed_train.json
  mdetr data index final_mixed_train.json

"mdetr data SUBCOMMAND --help" lists the options of a subcommand, with examples.`;

/** `mdetr data`: tools for annotation files. */
export const dataCommand = (): Command =>
  new Command('data')
    .description(
      'Import your own annotations, prepare published datasets; check, show, combine and index annotation files.',
    )
    .usage('SUBCOMMAND [options]')
    .addHelpText('after', EXAMPLES)
    .addCommand(importCommand())
    .addCommand(prepareCommand())
    .addCommand(checkCommand())
    .addCommand(showCommand())
    .addCommand(combineCommand())
    .addCommand(indexCommand());
