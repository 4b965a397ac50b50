import { app, BrowserWindow, ipcMain } from 'electron';
import { fileURLToPath } from 'node:url';
import { close, detect } from './detector.js';

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

ipcMain.handle('detect', (_event, image: Uint8Array, caption: string) => detect(image, caption));

app.on('window-all-closed', () => app.quit());
app.on('will-quit', () => void close());

await app.whenReady();
const window = new BrowserWindow({ webPreferences: { preload: pathOf('preload.cjs') } });
await window.loadFile(pathOf('../index.html'));
