// Before anything is drawn: the colours that were chosen here, or those of the system.
{
  const root = document.documentElement;
  const chosen = localStorage.getItem("theme");
  const isDark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.classList.toggle("dark", isDark);
  root.dataset.theme = isDark ? "dark" : "light";
}
