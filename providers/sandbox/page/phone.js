// Looks for news every two seconds; what somebody types or has focused stays as it is.
(() => {
  const status = document.querySelector("[data-status]");
  const bottom = () => document.querySelector(".bubbles")?.scrollTo(0, 1e9);

  const replace = (name, fresh) => {
    const here = document.querySelector(`[data-live=${name}]`);
    const there = fresh.querySelector(`[data-live=${name}]`);
    if (here.innerHTML === there.innerHTML || here.contains(document.activeElement)) return false;
    here.innerHTML = there.innerHTML;
    return true;
  };

  const look = async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    replace("count", fresh);
    replace("list", fresh);
    const bubbles = document.querySelector(".bubbles");
    const low = !bubbles || bubbles.scrollHeight - bubbles.scrollTop - bubbles.clientHeight < 40;
    const thread = document.querySelector("[data-live=thread]");
    if (thread.contains(document.activeElement) && bubbles) {
      const news = fresh.querySelector(".bubbles");
      if (news && bubbles !== document.activeElement && !bubbles.contains(document.activeElement) && bubbles.innerHTML !== news.innerHTML) {
        bubbles.innerHTML = news.innerHTML;
        status.textContent = "New messages";
      }
    } else if (replace("thread", fresh)) status.textContent = "New messages";
    if (low) bottom();
  };

  bottom();
  setInterval(look, 2000);
})();
