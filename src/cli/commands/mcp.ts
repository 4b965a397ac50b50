import { Command } from 'commander';
import { MdetrError } from '../../errors.ts';
import { addModelOptions, loadModel, type ModelOptions } from '../options/model-options.ts';
import { collect, millions } from '../options/option-values.ts';
import { StopSignals } from '../options/stop-signals.ts';

interface McpOptions extends ModelOptions {
  readonly answers?: string;
  readonly root?: readonly string[];
  readonly allowUrls?: boolean;
  readonly maxPixels?: number;
}

const EXAMPLES = `
Tools: detect (image, caption), refer (image, expression), ask (image, question); each takes threshold, masks and draw.
It speaks over stdin and stdout and needs the package @modelcontextprotocol/sdk (npm install @modelcontextprotocol/sdk).

Example: the configuration of a client
  { "mcpServers": { "mdetr": { "command": "npx", "args": ["mdetr", "mcp", "--root", "/home/me/photos"] } } }`;

/** `mdetr mcp`: the tasks as tools of the Model Context Protocol. */
export const mcpCommand = (): Command =>
  addModelOptions(new Command('mcp'))
    .description('Offer detect, refer and ask to language models, as tools of the Model Context Protocol.')
    .option('--answers <file>', "GQA's answer table (JSON), for models trained on GQA")
    .option('--root <dir>', 'folder whose images may be read; may be repeated (default: any)', collect)
    .option('--allow-urls', 'fetch images from URLs of public addresses')
    .option('--max-pixels <millions>', 'maximum pixels of an image, in millions (default: 50)', millions)
    .addHelpText('after', EXAMPLES)
    .action((options: McpOptions) => serve(options));

/** Loads the optional package. @throws {MdetrError} saying how to install it */
const loadSdk = async () => {
  try {
    const [{ McpServer }, { StdioServerTransport }] = await Promise.all([
      import('@modelcontextprotocol/sdk/server/mcp.js'),
      import('@modelcontextprotocol/sdk/server/stdio.js'),
    ]);
    return { McpServer, StdioServerTransport };
  } catch (error) {
    throw new MdetrError('mdetr mcp needs a package: npm install @modelcontextprotocol/sdk', { cause: error });
  }
};

const serve = async (options: McpOptions): Promise<void> => {
  const { McpServer, StdioServerTransport } = await loadSdk();
  const { addTools } = await import('../../server/mcp/mcp-server.ts');
  const { packageVersion } = await import('../../files/package-folder.ts');
  const model = await loadModel(options, { answers: options.answers });
  const signals = new StopSignals();
  try {
    const server = new McpServer({ name: 'mdetr', version: packageVersion() });
    const { root: roots = [], allowUrls = false, maxPixels } = options;
    addTools(server, model, { roots, allowUrls, maxPixels });
    const closed = new Promise<void>((resolve) => {
      server.server.onclose = resolve;
      process.stdin.once('end', resolve);
      signals.signal.addEventListener('abort', () => resolve());
    });
    await server.connect(new StdioServerTransport());
    await closed;
    await server.close();
  } finally {
    signals.forget();
    await model.dispose();
  }
};
