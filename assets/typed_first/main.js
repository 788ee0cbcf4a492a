// A link that is clicked out of a field which holds words not yet sent waits until they were sent and looked at. Streamlit
// sends them by a timer, as the word of the page that the link was to leave, and would come back to that page; and a page
// that is left while it runs does not keep what its fields say.
const MOST = 1000; // milliseconds: longer than that no link waits for the words to be heard,
const MOST_RUN = 6000; // and longer than that not for a run that has heard them
const LOOK = 15;
const PAUSE = 1000; // after that long without a key a text of several lines is sent too, so that a reload loses nothing

export default function ({ data, parentElement }) {
  const page = parentElement.ownerDocument;
  const root = parentElement.querySelector('.itda');
  root.run = data.run;
  const running = () => page.querySelector('[data-test-script-state]')?.dataset.testScriptState !== 'notRunning';
  // The words are looked at once a run has begun after they were sent, and ended.
  const waiting = left => {
    left.begun ||= root.run !== left.run || running();
    const waited = performance.now() - left.at;
    return left.begun ? running() && waited < MOST_RUN : waited < MOST;
  };
  const look = () => {
    if (!root.left) return;
    if (waiting(root.left)) setTimeout(look, LOOK);
    else root.left = null;
  };
  const follow = link => {
    if (root.left) { setTimeout(follow, LOOK, link); return; }
    const drawnAnew = () => [...page.links].find(one => one.href === link.href);
    ((!link.isConnected && drawnAnew()) || link).click();
  };
  const field = event => {
    const target = event.composedPath()[0];
    // A text area of our own, where a prompt is typed, is sent by its key alone.
    return target instanceof Element && target.matches('[data-testid=stTextArea] textarea, input:not([type=checkbox], [type=radio], [type=range], [role=combobox])') ? target : null;
  };
  const typed = event => {
    root.typing = field(event);
    clearTimeout(root.pausing);
    if (root.typing?.matches('textarea')) root.pausing = setTimeout(send, PAUSE, root.typing);
  };
  // As its own key does.
  const send = text => {
    if (root.typing === text) text.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true, cancelable: true }));
  };
  const sent = event => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey || !field(event)?.matches('textarea'))) root.typing = null; };
  const leave = event => {
    if (!root.typing || root.typing !== field(event)) return;
    root.typing = null;
    root.left = { at: performance.now(), run: root.run, begun: false };
    setTimeout(look, LOOK);
  };
  const clicked = event => {
    const link = event.target instanceof Element && event.target.closest('a[href]:not([target="_blank"])');
    if (!link || !root.left || !event.isTrusted || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    follow(link);
  };
  const heard = { input: typed, keydown: sent, focusout: leave, click: clicked };
  for (const [name, hear] of Object.entries(heard)) page.addEventListener(name, hear, true);
  return () => { for (const [name, hear] of Object.entries(heard)) page.removeEventListener(name, hear, true); };
}
