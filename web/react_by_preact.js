// Preact, for code that is written for React (Ariakit). Preact runs insertion effects no sooner than layout effects,
// so that a part may call a handler that is not there yet; without them Ariakit does as with React 17.
import compat from "preact/compat";

export * from "preact/compat";
export const useInsertionEffect = undefined;
export default { ...compat, useInsertionEffect };
