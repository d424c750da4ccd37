// monaco-editor has a copy of DOMPurify in itself, and an old one (3.1.7, of 2024, with known
// ways through it). vite.config.js puts this in its place: the released package, with the
// names that the copy exports.
import DOMPurify from 'dompurify';

export default DOMPurify;
export const {
  version,
  isSupported,
  sanitize,
  setConfig,
  clearConfig,
  isValidAttribute,
  addHook,
  removeHook,
  removeHooks,
  removeAllHooks,
} = DOMPurify;
