// Starts Swagger UI on the document of this service. What is tried out calls this service only.
const place = document.getElementById("swagger");
const withoutHead = () => ({ wrapComponents: { InfoContainer: () => () => null } }); // the page has a head of its own
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [withoutHead],
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  validatorUrl: null,
  syntaxHighlight: false, // its colors have too little contrast
});
