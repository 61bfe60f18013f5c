// Draws every chart in the page's colours, and again when the colour scheme changes. The colours are
// a Plotly template: that reaches all axes of a figure, declared or not, and what a figure sets
// itself comes first.
(() => {
  const theme = () => {
    const css = getComputedStyle(document.documentElement);
    const of = name => css.getPropertyValue(name).trim();
    const axis = {gridcolor: of("--line"), zerolinecolor: of("--soft")};
    const trace = {error_x: {color: of("--text")}, error_y: {color: of("--text")}};
    return {
      layout: {
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: {family: of("--font"), size: 13, color: of("--text")},
        hoverlabel: {
          bgcolor: of("--panel"), bordercolor: of("--line"), font: {color: of("--text")}, align: "left",
        },
        xaxis: axis, yaxis: axis, scene: {xaxis: axis, yaxis: axis, zaxis: axis},
      },
      data: {bar: [trace], scatter: [trace]},
    };
  };
  const charts = [...document.querySelectorAll(".chart")].map(div => ({
    figure: JSON.parse(div.querySelector("script").textContent),
    plot: div.appendChild(document.createElement("div")),
  }));
  const draw = () => {
    const template = theme();
    for (const {figure, plot} of charts) {
      const layout = {...figure.layout, template};
      Plotly.react(plot, figure.data, layout, {displayModeBar: false, responsive: true});
    }
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
})();
