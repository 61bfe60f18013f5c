"""3D Gaussian Splatting: scenes, cameras, reference renderer and the methods that render them."""
