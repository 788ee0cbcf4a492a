// What the drawn parts have in common: it stands before the script of each.

// Text is put in place with textContent alone: what a model or a text says stays text.
const element = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

// Keys that are pressed anywhere on the page. The part's drawing before this one, kept on `root`, hears them no more, nor
// does this one after what is returned was called.
const hearKeys = (root, pressed) => {
  const page = root.ownerDocument;
  if (root.pressed) page.removeEventListener('keydown', root.pressed);
  root.pressed = pressed;
  page.addEventListener('keydown', pressed);
  return () => page.removeEventListener('keydown', pressed);
};

// What the visitor chose and the server has not answered: it stands over every answer until the one to the last choice.
// An answer to an earlier one would otherwise take the later ones back. It is kept on `root`, which stays while a part is
// drawn anew. `answered`: the id of the last choice that was; `tell` sends a choice; `shown`: whether that is there now.
const underway = (root, answered, tell, shown = () => false) => {
  clearTimeout(root.waiting);
  root.sent ??= answered;
  if (root.going && root.going.id !== null && root.going.id === answered) root.going = null;
  const send = () => {
    if (root.sent === answered && shown(root.going.choice)) { root.going = null; return; } // back where one was
    root.sent = root.going.id = `${Date.now()}-${Math.random()}`;
    tell({ ...root.going.choice, at: root.going.id });
  };
  const soon = delay => { clearTimeout(root.waiting); root.waiting = setTimeout(send, delay); };
  return {
    choice: () => root.going && root.going.choice,
    // The first is sent at once; of those that follow each other within `delay` milliseconds the last one is sent.
    choose: (choice, delay) => {
      const now = performance.now(), quick = now - (root.chose ?? -Infinity) < delay;
      root.chose = now;
      root.going = { choice, id: null };
      soon(quick ? delay : 0);
    },
    forget: () => { root.going = null; },
    goOn: delay => { if (root.going && root.going.id === null) soon(delay); }, // with a choice that an answer overtook
    stop: () => clearTimeout(root.waiting),
  };
};
