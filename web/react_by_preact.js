// Preact, for code that is written for React (Ariakit). Two things are to be told apart:
// - Preact runs insertion effects no sooner than layout effects, so that a part may call a handler that is not there
//   yet; without them Ariakit does as with React 17;
// - the currentTarget of React's events stays, and may be set, which Ariakit does; a browser's own is but read.
import { options } from "preact";
import compat from "preact/compat";

const { get: currentTargetOf } = Object.getOwnPropertyDescriptor(Event.prototype, "currentTarget");
const before = options.event;

options.event = (event) => {
    Object.defineProperty(event, "currentTarget", { value: currentTargetOf.call(event), writable: true, configurable: true });
    return before ? before(event) : event;
};

export * from "preact/compat";
export const useInsertionEffect = undefined;
export default { ...compat, useInsertionEffect };
